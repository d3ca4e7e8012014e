//! A lending library as MCP tools. The type holds the state, each method is a tool, and its doc
//! comments are all that an agent sees of it.
//!
//! `cargo run -p example-native` serves it on 127.0.0.1:8080, or on the address given as argument.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bridgehead::{Context, Json, Server, ToolError, tools};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::interval;

const LONGEST_LOAN_DAYS: u32 = 60;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Every call and the cause of every failure. The card goes to stdout, so the log does not.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let listen: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    Server::new("Village library")
        .instructions("Books are known by the number on their back. Loans are in the name of whoever calls.")
        .listen(listen)
        .issued_keys("library.db")
        .toolbox(Library::open())
        .serve()
        .await?;
    Ok(())
}

/// Many calls run at once, so what they change is behind a lock. A real library would have a
/// database here.
struct Library {
    books: Mutex<BTreeMap<u32, Book>>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Book {
    /// The number on its back, which the other tools take.
    number: u32,
    title: String,
    author: String,
    shelf: Shelf,
    /// Null while the book can be borrowed.
    loan: Option<Loan>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shelf {
    Novels,
    Nature,
    Crafts,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Loan {
    /// Who has the book.
    borrower: String,
    /// How long they may keep it, from the day of the loan.
    days: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// In the order of their numbers.
    books: Vec<Book>,
    /// How many more there are than `limit` allowed.
    left_out: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Inventory {
    /// How many books are on their shelves.
    in_place: usize,
    /// Numbers of the books that are lent.
    lent: Vec<u32>,
}

#[tools]
impl Library {
    /// Finds books by words of title or author, or by shelf; without any of these, all books.
    /// Use it first: the other tools need the number of a book.
    #[tool(read)]
    async fn find_books(
        &self,
        /// Part of the title or of the author's name, in any case, e.g. "le guin".
        words: Option<String>,
        /// Only books on this shelf.
        shelf: Option<Shelf>,
        /// Only books that can be borrowed now.
        #[tool(default = false)]
        only_available: bool,
        /// How many books at most.
        #[tool(default = 20)]
        limit: usize,
    ) -> Json<Found> {
        let words = words.unwrap_or_default().to_lowercase();
        let mut books: Vec<Book> = self.books().values().cloned().collect();
        books.retain(|book| {
            format!("{} {}", book.title, book.author).to_lowercase().contains(&words)
                && shelf.is_none_or(|shelf| shelf == book.shelf)
                && (book.loan.is_none() || !only_available)
        });
        let left_out = books.len().saturating_sub(limit);
        books.truncate(limit);
        Json(Found { books, left_out })
    }

    /// Lends one book to whoever calls. Fails if somebody has it already. Returns the book.
    #[tool(write)]
    async fn borrow_book(
        &self,
        context: Context,
        /// The book's number; see find_books.
        number: u32,
        /// For how many days, 1 to 60.
        #[tool(default = 21)]
        days: u32,
    ) -> Result<Json<Book>, ToolError> {
        if !(1..=LONGEST_LOAN_DAYS).contains(&days) {
            return Err(ToolError::invalid_argument("days", format!("must be 1 to {LONGEST_LOAN_DAYS}")));
        }
        let mut books = self.books();
        let book = books.get_mut(&number).ok_or_else(|| no_such_book(number))?;
        if let Some(loan) = &book.loan {
            let message = format!("{} is lent to {}. Find another with only_available.", book.title, loan.borrower);
            return Err(ToolError::rejected(message).with_details(json!({ "loan": loan })));
        }
        book.loan = Some(Loan { borrower: context.caller().subject.to_string(), days });
        Ok(Json(book.clone()))
    }

    /// Ends the loan of one book, whoever has it. Does nothing if nobody has. Returns the book.
    #[tool(destructive, idempotent)]
    async fn return_book(
        &self,
        /// The book's number; see find_books.
        number: u32,
    ) -> Result<Json<Book>, ToolError> {
        let mut books = self.books();
        let book = books.get_mut(&number).ok_or_else(|| no_such_book(number))?;
        book.loan = None;
        Ok(Json(book.clone()))
    }

    /// Walks along all shelves and counts the books. Takes about a second, and reports every book.
    #[tool(read)]
    async fn take_inventory(&self, context: Context) -> Json<Inventory> {
        let books = self.books().clone();
        let mut inventory = Inventory { in_place: 0, lent: Vec::new() };
        let mut scanner = interval(Duration::from_millis(100));
        for (done, book) in books.values().enumerate() {
            scanner.tick().await;
            context.progress((done + 1) as f64, Some(books.len() as f64), Some(&book.title)).await;
            match book.loan {
                Some(_) => inventory.lent.push(book.number),
                None => inventory.in_place += 1,
            }
        }
        Json(inventory)
    }
}

impl Library {
    fn open() -> Self {
        let books = [
            (101, "The Left Hand of Darkness", "Ursula K. Le Guin", Shelf::Novels),
            (102, "The Dispossessed", "Ursula K. Le Guin", Shelf::Novels),
            (103, "Middlemarch", "George Eliot", Shelf::Novels),
            (201, "Silent Spring", "Rachel Carson", Shelf::Nature),
            (202, "The Hidden Life of Trees", "Peter Wohlleben", Shelf::Nature),
            (203, "The Peregrine", "J. A. Baker", Shelf::Nature),
            (301, "The Complete Book of Knots", "Geoffrey Budworth", Shelf::Crafts),
            (302, "Bread", "Jeffrey Hamelman", Shelf::Crafts),
        ];
        let book = |(number, title, author, shelf): (u32, &str, &str, Shelf)| {
            (number, Book { number, title: title.to_owned(), author: author.to_owned(), shelf, loan: None })
        };
        Self { books: Mutex::new(books.map(book).into()) }
    }

    /// A call that panicked has changed one book or none: the rest can be used all the same.
    fn books(&self) -> MutexGuard<'_, BTreeMap<u32, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_such_book(number: u32) -> ToolError {
    ToolError::invalid_argument("number", format!("no book has the number {number}; find_books lists them"))
}
