//! A box of recipes as an MCP server, written with rmcp's own macros.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    ErrorData, Json, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{CallToolResult, ContentBlock, ProgressNotificationParam, ServerCapabilities, ServerConfig},
    service::RequestContext,
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::interval;

/// The server. rmcp clones it, so the state is shared.
#[derive(Clone)]
pub(crate) struct RecipeBox {
    recipes: Arc<Mutex<BTreeMap<String, Recipe>>>,
    tool_router: ToolRouter<Self>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Recipe {
    name: String,
    portions: u32,
    ingredients: Vec<Ingredient>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Ingredient {
    name: String,
    /// In grams.
    grams: f64,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Scaling {
    /// The recipe's name, as list_recipes gives it.
    name: String,
    /// For how many people, 1 to 100.
    portions: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Named {
    /// The recipe's name, as list_recipes gives it.
    name: String,
}

#[tool_router]
impl RecipeBox {
    pub(crate) fn new() -> Self {
        let recipe = |name: &str, portions, ingredients: &[(&str, f64)]| {
            let ingredients =
                ingredients.iter().map(|&(name, grams)| Ingredient { name: name.to_owned(), grams }).collect();
            (name.to_owned(), Recipe { name: name.to_owned(), portions, ingredients })
        };
        let recipes = BTreeMap::from([
            recipe("pancakes", 4, &[("flour", 250.0), ("milk", 500.0), ("eggs", 150.0)]),
            recipe("lentil soup", 6, &[("lentils", 400.0), ("carrots", 200.0), ("onions", 100.0)]),
        ]);
        Self { recipes: Arc::new(Mutex::new(recipes)), tool_router: Self::tool_router() }
    }

    #[tool(description = "Lists the names of all recipes.", annotations(read_only_hint = true))]
    async fn list_recipes(&self) -> String {
        self.recipes().keys().cloned().collect::<Vec<_>>().join("\n")
    }

    #[tool(
        description = "Gives one recipe with its ingredients for so many people.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn scale_recipe(&self, Parameters(wanted): Parameters<Scaling>) -> Result<Json<Recipe>, ErrorData> {
        if !(1..=100).contains(&wanted.portions) {
            return Err(ErrorData::invalid_params("portions must be 1 to 100", None));
        }
        let recipe = self.recipes().get(&wanted.name).cloned();
        let mut recipe = recipe.ok_or_else(|| ErrorData::invalid_params("there is no such recipe", None))?;
        for ingredient in &mut recipe.ingredients {
            ingredient.grams *= f64::from(wanted.portions) / f64::from(recipe.portions);
        }
        recipe.portions = wanted.portions;
        Ok(Json(recipe))
    }

    #[tool(description = "Cooks a recipe. Takes about a second.", annotations(destructive_hint = false))]
    async fn cook(
        &self,
        Parameters(wanted): Parameters<Named>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let Some(recipe) = self.recipes().get(&wanted.name).cloned() else {
            return Ok(CallToolResult::error(vec![ContentBlock::text("The cook does not know this recipe.")]));
        };
        let total = recipe.ingredients.len() as f64;
        let mut pan = interval(Duration::from_millis(200));
        for (done, ingredient) in recipe.ingredients.iter().enumerate() {
            pan.tick().await;
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, (done + 1) as f64)
                    .with_total(total)
                    .with_message(format!("{} in the pan", ingredient.name));
                // Whether the client still listens makes no difference to the meal.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text(format!("Dinner is ready: {}.", recipe.name))]))
    }

    #[tool(description = "Throws a recipe away. It cannot be had back.", annotations(destructive_hint = true))]
    async fn forget_recipe(&self, Parameters(wanted): Parameters<Named>) -> Result<String, ErrorData> {
        match self.recipes().remove(&wanted.name) {
            Some(recipe) => Ok(format!("{} is forgotten.", recipe.name)),
            None => Err(ErrorData::invalid_params("there is no such recipe", None)),
        }
    }

    fn recipes(&self) -> MutexGuard<'_, BTreeMap<String, Recipe>> {
        self.recipes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for RecipeBox {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
