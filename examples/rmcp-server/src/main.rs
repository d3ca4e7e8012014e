//! An `rmcp` server that exists already, served by Bridgehead as it is: `recipes.rs` knows
//! nothing of it.
//!
//! `cargo run -p example-rmcp-server` serves it on 127.0.0.1:8080, or on the address given as
//! argument.

mod recipes;

use std::{error::Error, net::SocketAddr};

use bridgehead::Server;
use recipes::RecipeBox;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let listen: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    // Before: RecipeBox::new().serve(rmcp::transport::stdio()).await?.waiting().await?;
    Server::new("Recipe box")
        .listen(listen)
        .issued_keys("recipes.db")
        .rmcp_server("recipes", RecipeBox::new())
        .await?
        .serve()
        .await?;
    Ok(())
}
