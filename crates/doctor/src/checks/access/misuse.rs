//! What has to be refused at the token endpoint: a thief's attempts, and a client that nobody knows. Uses up a
//! grant of its own, since a good server ends a grant that is misused.

use bridgehead_core::Secret;

use super::{
    authorize,
    client::{self, Client, Code, Tokens},
    made::Made,
    resource::Resource,
    server::Server,
    sign_in::Flow,
};
use crate::{
    Area, Check, Profile,
    visit::{Answer, NoAnswer, Visit},
};

/// Errors have a form.
pub(super) const TOKEN_ERRORS: Check = Check {
    id: "token-errors",
    area: Area::Access,
    title: "A code that is not good is refused in the form that clients read",
    why: "By invalid_grant a client knows that it has to send the teammate to sign in again. What it cannot read it \
          tries again, or shows as a failure of the server.",
    standard: "RFC 6749 §5.2",
    mend: "Answer 400 with JSON and \"error\": \"invalid_grant\" for a code or refresh token that is unknown, used or \
           expired.",
};

/// Strangers are told.
pub(super) const TOKEN_UNKNOWN_CLIENT: Check = Check {
    id: "token-unknown-client",
    area: Area::Access,
    title: "A client that is not known is told so by invalid_client",
    why: "A platform whose registration is gone registers anew when it reads invalid_client. With another error it \
          goes on with the dead one, and no teammate can connect.",
    standard: "RFC 6749 §5.2",
    mend: "Answer 401 with \"error\": \"invalid_client\" where the client id is unknown or its secret wrong, before \
           the code is looked at.",
};

/// PKCE is checked.
pub(super) const CODE_VERIFIER: Check = Check {
    id: "code-verifier",
    area: Area::Access,
    title: "A code is refused without the right verifier",
    why: "PKCE protects nothing if the verifier is not compared: whoever catches a code can use it.",
    standard: "RFC 7636 §4.6",
    mend: "Compare the hash of code_verifier with the code_challenge of the request, and refuse with invalid_grant.",
};

/// Once.
pub(super) const CODE_REPLAY: Check = Check {
    id: "code-replay",
    area: Area::Access,
    title: "A code is good once",
    why: "A code that can be used again gives a thief who finds it in a log or a history the same access.",
    standard: "RFC 6749 §4.1.2, §10.5",
    mend: "Mark a code as used in the same step that issues tokens for it, and revoke those when it is used again.",
};

/// Two at once.
pub(super) const REFRESH_RACE: Check = Check {
    id: "refresh-race",
    area: Area::Access,
    title: "Two refreshes at once with the same token both work",
    why: "Platforms refresh from several processes, and so does a client whose answer was lost on the way. Where the \
          second one ends the grant, teammates are signed out by chance.",
    standard: "RFC 9700 §4.14.2; none for the grace",
    mend: "Let the predecessor of a refresh token work until its successor is used, for a minute at most.",
};

/// And not for ever.
pub(super) const REFRESH_REUSE: Check = Check {
    id: "refresh-reuse",
    area: Area::Access,
    title: "A refresh token is refused after its successor was used",
    why: "That is how theft is noticed: of thief and owner one comes second.",
    standard: "RFC 9700 §4.14.2, OAuth 2.1 (draft) §4.3.1",
    mend: "Refuse a refresh token whose successor was used, and revoke the whole grant.",
};

/// What needs a second sign-in.
pub(super) const WITH_CODE: [&Check; 4] = [&CODE_VERIFIER, &CODE_REPLAY, &REFRESH_RACE, &REFRESH_REUSE];

/// Without an answer nothing was refused.
pub(super) fn refused(visit: &mut Visit<'_>, check: &'static Check, answer: &Result<Answer, NoAnswer>) {
    match answer {
        Ok(_) => visit.passed(check, client::shown(answer)),
        Err(_) => visit.skipped(check, client::shown(answer)),
    }
}

/// Asks for what nobody is given.
pub(super) async fn examine_errors(visit: &mut Visit<'_>, server: &Server, client: &Client, resource: &str) {
    let made_up = |visit: &Visit<'_>| Secret::new(client::random(&*visit.surroundings().randomness));
    let code = Code { code: made_up(visit), verifier: made_up(visit) };
    // They open nothing, and nobody who reads the report can know that.
    for secret in [&code.code, &code.verifier] {
        visit.keep_secret(secret);
    }
    let answer = visit.send(client.exchange(server, &code, &code.verifier, resource)).await;
    let error = answer.as_ref().ok().and_then(client::error);
    let status = answer.as_ref().ok().map(|answer| answer.received.status);
    if status.is_some_and(|status| status.is_client_error()) && error.as_deref() == Some("invalid_grant") {
        // Clients go by the error: some servers send it with 401 in the place of 400.
        visit.passed(&TOKEN_ERRORS, client::shown(&answer));
    } else {
        let seen = format!("A made-up code was answered {}; 400 invalid_grant is expected.", client::shown(&answer));
        visit.warning(&TOKEN_ERRORS, seen, [client::exchange(&answer)]);
    }
    let stranger = Client { id: format!("doctor-{}", made_up(visit).expose()), ..client.clone() };
    let answer = visit.send(stranger.exchange(server, &code, &code.verifier, resource)).await;
    if answer.as_ref().ok().and_then(client::error).as_deref() == Some("invalid_client") {
        visit.passed(&TOKEN_UNKNOWN_CLIENT, client::shown(&answer));
    } else {
        let seen = format!("A made-up client was answered {}; 401 invalid_client is expected.", client::shown(&answer));
        visit.warning(&TOKEN_UNKNOWN_CLIENT, seen, [client::exchange(&answer)]);
    }
}

/// Misuses a code and what it gives; its refresh token only where those are known to work.
pub(super) async fn examine(visit: &mut Visit<'_>, flow: Flow<'_>, code: &Code, refreshes: bool, made: &mut Made) {
    let Flow { server, client, resource: Resource { identifier: resource, .. }, .. } = flow;
    let wrong = authorize::verifier(visit);
    let stolen = visit.send(client.exchange(server, code, &wrong, resource)).await;
    let stolen_exchange = client::exchange(&stolen);
    let by_thief = stolen.as_ref().ok().and_then(|answer| Tokens::of(visit, answer));
    if by_thief.is_some() {
        visit.failed(&CODE_VERIFIER, "A code was exchanged with a made-up verifier.", [stolen_exchange]);
    } else {
        refused(visit, &CODE_VERIFIER, &stolen);
    }
    let owned = match by_thief {
        Some(tokens) => Some(tokens),
        None => {
            let answer = visit.send(client.exchange(server, code, &code.verifier, resource)).await;
            answer.as_ref().ok().and_then(|answer| Tokens::of(visit, answer))
        }
    };
    // Some servers take a wrong verifier for theft and end the code with it.
    let Some(tokens) = owned else {
        visit.passed(&CODE_REPLAY, "a code is good for one attempt".to_owned());
        for check in [&REFRESH_RACE, &REFRESH_REUSE] {
            visit.skipped(check, "the code of the second sign-in was used up by a wrong verifier");
        }
        return;
    };
    let latest = if refreshes {
        judge_refresh(visit, server, client, tokens, resource).await
    } else {
        for check in [&REFRESH_RACE, &REFRESH_REUSE] {
            visit.skipped(check, "refreshing does not work");
        }
        tokens
    };
    made.other(client, latest);
    let replayed = visit.send(client.exchange(server, code, &code.verifier, resource)).await;
    match replayed.as_ref().ok().and_then(|answer| Tokens::of(visit, answer)) {
        None => refused(visit, &CODE_REPLAY, &replayed),
        Some(tokens) => {
            made.other(client, tokens);
            visit.failed(&CODE_REPLAY, "A code was exchanged twice.", [client::exchange(&replayed)]);
        }
    }
}

/// A race, and a reuse; the tokens that are the latest then.
async fn judge_refresh(
    visit: &mut Visit<'_>,
    server: &Server,
    client: &Client,
    tokens: Tokens,
    resource: &str,
) -> Tokens {
    let Some(first) = tokens.refresh.clone() else {
        for check in [&REFRESH_RACE, &REFRESH_REUSE] {
            visit.skipped(check, "there is no refresh token");
        }
        return tokens;
    };
    let request = || client.refresh(server, &first, resource);
    let [one, other] = visit.send_both([request(), request()]).await;
    let exchanges = [client::exchange(&one), client::exchange(&other)];
    let of = |visit: &mut Visit<'_>, answer: &Result<_, _>| {
        answer.as_ref().ok().and_then(|answer| Tokens::of(visit, answer))
    };
    let (given, given_other) = (of(visit, &one), of(visit, &other));
    let both = given.is_some() && given_other.is_some();
    let Some(successor) = given.or(given_other) else {
        race_lost(visit, &format!("{} and {}", client::shown(&one), client::shown(&other)), exchanges);
        visit.skipped(&REFRESH_REUSE, "the grant has ended");
        return tokens;
    };
    if both {
        visit.passed(&REFRESH_RACE, None);
    } else {
        race_lost(visit, &format!("{} and {}", client::shown(&one), client::shown(&other)), exchanges);
    }
    let Some(second) = successor.refresh.clone().filter(|second| *second != first) else {
        visit.skipped(&REFRESH_REUSE, "refresh tokens are not replaced");
        return successor;
    };
    let used = visit.send(client.refresh(server, &second, resource)).await;
    let Some(latest) = of(visit, &used) else {
        if both {
            let seen = format!(
                "Both were given tokens, and the refresh token of the first was answered {}.",
                client::shown(&used)
            );
            race_lost(visit, &seen, exchanges);
        }
        visit.skipped(&REFRESH_REUSE, "the grant has ended");
        return successor;
    };
    let reused = visit.send(client.refresh(server, &first, resource)).await;
    match of(visit, &reused) {
        None => refused(visit, &REFRESH_REUSE, &reused),
        Some(_) => {
            let seen = "A refresh token gave new tokens after its successor was used.";
            visit.warning(&REFRESH_REUSE, seen, [client::exchange(&reused)]);
        }
    }
    latest
}

/// Whoever calls from several processes loses the connection; others may.
fn race_lost(visit: &mut Visit<'_>, answers: &str, exchanges: [usize; 2]) {
    let seen = format!("Two refreshes at once with the same token were answered {answers}.");
    if visit.target().profile == Profile::Claude {
        visit.failed(&REFRESH_RACE, seen, exchanges);
    } else {
        visit.warning(&REFRESH_RACE, seen, exchanges);
    }
}
