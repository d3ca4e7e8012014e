//! One scenario from its start to its sums.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bridgehead_harness::postgres::Database;
use futures_util::{StreamExt, stream};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    caller, config,
    ledger::{self, Account, Sums, Violation},
    orders::Table,
    replicas::Replicas,
    shop::{Orders, Shop},
};

/// How many callers are there at once.
const CALLERS: usize = 12;
/// As long as a caller takes for one that knows; then it goes on by itself, and the next one comes.
const A_WHILE: Duration = Duration::from_secs(4);

/// What is behind the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// An API that takes every request for a new one.
    Shop,
    /// An API that knows a repeat by its key.
    ShopWithKeys,
    /// A SQLite file, with `effects_table`.
    Sqlite,
    /// A PostgreSQL database, with `effects_table`.
    Postgres,
}

/// Which servers are killed in front of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called in the table.
    pub name: &'static str,
    behind: Behind,
    /// Two replicas on PostgreSQL, or one server on SQLite.
    has_replicas: bool,
    /// Whether callers give a key.
    has_keys: bool,
}

impl Scenario {
    /// One server whose store is a SQLite file.
    pub const ONE_SERVER: [Self; 3] = [
        Self::new("one server, API without keys", Behind::Shop, false),
        Self::new("one server, API with keys", Behind::ShopWithKeys, false),
        Self::new("one server, SQLite effects_table", Behind::Sqlite, false),
    ];
    /// Two replicas whose store is a PostgreSQL database.
    pub const TWO_REPLICAS: [Self; 3] = [
        Self::new("two replicas, API without keys", Behind::Shop, true),
        Self::new("two replicas, API with keys", Behind::ShopWithKeys, true),
        Self::new("two replicas, PostgreSQL effects_table", Behind::Postgres, true),
    ];
    /// What this is there against: callers repeat, and give no key. It must find duplicates.
    pub const WITHOUT_KEYS: Self =
        Self { has_keys: false, ..Self::new("callers without keys (must fail)", Behind::Shop, false) };

    const fn new(name: &'static str, behind: Behind, has_replicas: bool) -> Self {
        Self { name, behind, has_replicas, has_keys: true }
    }

    /// Whether every doubt can be settled.
    fn always_settles(self) -> bool {
        self.behind != Behind::Shop
    }
}

/// Everything around the callers.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) has_keys: bool,
    pub(crate) kills_per_mille: u64,
    pub(crate) replicas: Replicas,
    pub(crate) client: reqwest::Client,
    counted: Counted,
}

/// Where it is counted what was done.
enum Counted {
    Shop(Shop),
    Table(Table),
}

impl World {
    /// The orders that were made for an intent so far.
    pub(crate) async fn orders_of(&self, intent: u64) -> Vec<i64> {
        match &self.counted {
            Counted::Shop(shop) => shop.orders_of(intent),
            Counted::Table(table) => table.orders_of(intent).await,
        }
    }

    async fn orders(&self) -> Orders {
        match &self.counted {
            Counted::Shop(shop) => shop.orders(),
            Counted::Table(table) => table.orders().await,
        }
    }

    fn known_again(&self) -> u64 {
        match &self.counted {
            Counted::Shop(shop) => shop.known_again(),
            Counted::Table(_) => 0,
        }
    }
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub scenario: Scenario,
    /// The seed of its decisions.
    pub seed: u64,
    /// The sums.
    pub sums: Sums,
    /// How often a server was killed.
    pub kills: u64,
    /// How many repeats the system behind knew by their key.
    pub known_again: u64,
    /// How long it took.
    pub took: Duration,
    /// What must not be, with what the callers of that intent were told.
    pub violations: Vec<(u64, Violation, Account)>,
}

impl Report {
    /// The heads of the table.
    pub const COLUMNS: [&'static str; 16] = [
        "scenario",
        "calls",
        "requests",
        "kills",
        "effects",
        "duplicates",
        "losses",
        "lies",
        "in doubt",
        "settled later",
        "stayed: done",
        "stayed: not",
        "replayed",
        "known again",
        "released",
        "seconds",
    ];

    /// One row of it.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let sums = &self.sums;
        let settled_later = sums.in_doubt.saturating_sub(sums.stayed_and_done + sums.stayed_and_not_done);
        let numbers = [
            sums.intents,
            sums.requests,
            self.kills,
            sums.effects,
            sums.duplicates,
            sums.losses,
            sums.lies,
            sums.in_doubt,
            settled_later,
            sums.stayed_and_done,
            sums.stayed_and_not_done,
            sums.replayed,
            self.known_again,
            sums.released,
            self.took.as_secs(),
        ];
        std::iter::once(self.scenario.name.to_owned()).chain(numbers.map(|number| number.to_string())).collect()
    }
}

/// Runs `calls` intents of a scenario to their ends. `kills_per_mille`: before how many of a thousand requests a server
/// is killed, beside those that the system behind has killed.
pub async fn run(scenario: Scenario, seed: u64, calls: u64, kills_per_mille: u64) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("bridgehead.toml");
    let replicas = Replicas::new(config, if scenario.has_replicas { 2 } else { 1 });
    let (counted, url) = match scenario.behind {
        Behind::Shop | Behind::ShopWithKeys => {
            let shop = Shop::open(seed, scenario.behind == Behind::ShopWithKeys, replicas.clone()).await;
            let url = shop.origin.clone();
            (Counted::Shop(shop), url)
        }
        Behind::Sqlite => table(Table::sqlite(folder.path().join("orders.db")).await),
        Behind::Postgres => table(Table::postgres().await),
    };
    let store = if scenario.has_replicas { Database::empty().await.url() } else { "sqlite:bridgehead.db".to_owned() };
    config::write(folder.path(), &store, scenario.behind, &url);
    replicas.start().await;
    // A connection that a killed server leaves behind must not look like an answer.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
    let world = Arc::new(World { seed, has_keys: scenario.has_keys, kills_per_mille, replicas, client, counted });
    let started = Instant::now();
    let accounts = pursue_all(&world, calls).await;
    let took = started.elapsed();
    world.replicas.end().await;
    let orders = world.orders().await;
    let orders_of = |intent| orders.get(&intent).cloned().unwrap_or_default();
    let (sums, violations) = ledger::close(&accounts, orders_of, scenario.always_settles());
    let violations = violations.into_iter().map(|(intent, violation)| (intent, violation, accounts[&intent].clone()));
    Report {
        scenario,
        seed,
        sums,
        kills: world.replicas.kills(),
        known_again: world.known_again(),
        took,
        violations: violations.collect(),
    }
}

fn table(table: Table) -> (Counted, String) {
    let url = table.url();
    (Counted::Table(table), url)
}

/// So many callers at once, and beside them those who wait until it is known what became of a server's call.
async fn pursue_all(world: &Arc<World>, calls: u64) -> BTreeMap<u64, Account> {
    let mut waiting = JoinSet::new();
    let mut accounts = BTreeMap::new();
    let mut arriving = stream::iter(0..calls)
        .map(|intent| {
            let world = world.clone();
            async move {
                let mut pursuing = tokio::spawn(async move { (intent, caller::pursue(&world, intent).await) });
                match tokio::time::timeout(A_WHILE, &mut pursuing).await {
                    Ok(ended) => Ok(ended.expect("no caller panics")),
                    Err(_) => Err(pursuing),
                }
            }
        })
        .buffer_unordered(CALLERS);
    while let Some(ended) = arriving.next().await {
        match ended {
            Ok((intent, account)) => drop(accounts.insert(intent, account)),
            Err(pursuing) => drop(waiting.spawn(async move { pursuing.await.expect("no caller panics") })),
        }
    }
    while let Some(ended) = waiting.join_next().await {
        let (intent, account) = ended.expect("no caller panics");
        accounts.insert(intent, account);
    }
    accounts
}
