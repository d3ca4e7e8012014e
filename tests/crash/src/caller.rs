//! Callers: each pursues what it intends, under one key, until it knows what became of it.

use std::{sync::Arc, time::Duration};

use futures_util::future;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    dice::{About, Dice},
    fate,
    ledger::{Account, Told},
    run::World,
};

/// Longer than the server takes to answer anything.
const PATIENT: Duration = Duration::from_secs(15);
/// How long a caller goes on after it was told to come again, at most: longer than the lease of a server that was killed,
/// and than the time in which an answer may come late.
const UNTIL_GIVEN_UP: Duration = Duration::from_secs(300);
/// How long a caller lets pass before it comes again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Pursues one intent to its end.
pub(crate) async fn pursue(world: &Arc<World>, intent: u64) -> Account {
    let mut account = Account::default();
    let mut pause = FIRST_PAUSE;
    let started = Instant::now();
    for nth in 0.. {
        let dice = Dice::new(world.seed, About::Caller, intent, nth);
        if dice.per_mille(60) {
            ask_twice_at_once(world, intent, nth, &mut account).await;
        } else {
            let told = ask(world, intent, nth).await;
            let orders = world.orders_of(intent).await;
            account.hear(told, Some(&orders));
        }
        match account.told.last() {
            Some(Told::Done { .. } | Told::Refused | Told::Nonsense(_)) => {
                // Some ask once more although they know.
                if !dice.per_mille(150) {
                    break;
                }
            }
            Some(Told::InDoubt { may_settle: false }) if world.has_keys => {
                if !dice.per_mille(500) {
                    break;
                }
            }
            Some(Told::Nothing) if dice.per_mille(50) => {
                account.is_abandoned = true;
                break;
            }
            Some(Told::Nothing) => {}
            _ => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        if started.elapsed() > UNTIL_GIVEN_UP {
            break;
        }
    }
    account
}

/// The same call on two replicas. What is there when they answer says nothing of either.
async fn ask_twice_at_once(world: &Arc<World>, intent: u64, nth: u64, account: &mut Account) {
    let (one, other) = future::join(ask(world, intent, 2 * nth), ask(world, intent, 2 * nth + 1)).await;
    // What settles it is heard last.
    let settles = |told: &Told| matches!(told, Told::Done { .. } | Told::Refused);
    let (first, last) = if settles(&one) { (other, one) } else { (one, other) };
    account.hear(first, None);
    account.hear(last, None);
}

async fn ask(world: &Arc<World>, intent: u64, nth: u64) -> Told {
    let dice = Dice::new(world.seed, About::Kill, intent, nth);
    let url = world.replicas.url(usize::try_from(dice.below(64)).expect("small")).await;
    if dice.per_mille(world.kills_per_mille) {
        let (replicas, victim, after) = (world.replicas.clone(), dice.below(64), dice.below(180));
        let victim = usize::try_from(victim).expect("small") % replicas.number();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            replicas.kill(victim).await;
        });
    }
    let mut arguments = json!({"intent": intent, "units": fate::units(world.seed, intent)});
    if world.has_keys {
        arguments["idempotency_key"] = format!("intent-{intent}").into();
    }
    let message = json!({"jsonrpc": "2.0", "id": nth, "method": "tools/call",
        "params": {"name": "order", "arguments": arguments}});
    let is_impatient = dice.per_mille(30);
    let request = world
        .client
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .timeout(if is_impatient { Duration::from_millis(1 + dice.below(120)) } else { PATIENT })
        .body(message.to_string());
    let answered = async {
        let answer = request.send().await?;
        Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.text().await?))
    };
    match answered.await {
        Ok((status, text)) => read(status, &text),
        Err(_) => Told::Nothing,
    }
}

/// What an answer says.
fn read(status: u16, text: &str) -> Told {
    if status == 503 {
        return Told::ComeAgain;
    }
    let data = text.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(text);
    let message: Value = serde_json::from_str(data.trim()).unwrap_or_default();
    let result = &message["result"];
    if status != 200 || !result.is_object() {
        return Told::Nonsense(format!("{status} {text}"));
    }
    if result["isError"] != true {
        let content = &result["structuredContent"];
        let order = content["order"].as_i64().or_else(|| content["rows"][0]["order"].as_i64());
        let replayed = result["_meta"]["bridgehead/replayed"] == true;
        return order.map_or_else(|| Told::Nonsense(text.to_owned()), |order| Told::Done { order, replayed });
    }
    let error = &result["_meta"]["bridgehead/error"];
    let is_retryable = error["retryable"] == true;
    match error["code"].as_str().unwrap_or_default() {
        "upstream_rejected" => Told::Refused,
        "effect_in_doubt" => Told::InDoubt { may_settle: is_retryable },
        "upstream_unavailable" | "upstream_busy" | "upstream_rate_limited" if is_retryable => Told::Released,
        "timed_out" if is_retryable => Told::GoesOn,
        "busy" | "idempotency_unavailable" | "shutting_down" => Told::ComeAgain,
        // Without a key there is no other word for it.
        "upstream_connection_lost" | "timed_out" | "upstream_failed" | "upstream_invalid_response" => {
            Told::InDoubt { may_settle: false }
        }
        _ => Told::Nonsense(text.to_owned()),
    }
}
