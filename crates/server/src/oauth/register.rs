//! `/oauth/register`: a client introduces itself (POST, RFC 7591), and looks at its registration,
//! removes it or asks to change it (GET, DELETE, PUT below its id, RFC 7592).

use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{
    TraceEvent,
    trace::{Fact, Step},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    AuthorizationServer,
    answer::{self, SentTwice},
};
use crate::http::{ClientAddress, body};

pub(super) async fn register(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let (parts, body) = match answer::receive(&server, request).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    if body::media_type(&parts.headers).as_deref() != Some("application/json") {
        let text = "A registration has to be sent as application/json (RFC 7591 section 3.1).";
        return answer::answer(StatusCode::BAD_REQUEST, "invalid_client_metadata", text);
    }
    let from = ClientAddress::of(&parts.extensions);
    let traced = server.traced(&parts.headers, from);
    match server.issuer.register(&body, from).await {
        Ok(registration) => {
            let metadata = &registration.metadata;
            let event = TraceEvent::done(Step::Registration)
                .with(Fact::ClientId, &registration.client_id)
                .with(Fact::ClientName, metadata.client_name.as_deref().unwrap_or_default())
                .redirect(metadata.redirect_uris.first().map_or("", String::as_str));
            traced.record(event);
            answer::good(StatusCode::CREATED, &registration)
        }
        Err(error) => {
            let refusal = error.answer();
            traced.record(TraceEvent::refused(Step::Registration, refusal.error, &refusal.description));
            answer::bad(&error, &refusal)
        }
    }
}

pub(super) async fn show(
    State(server): State<AuthorizationServer>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, SentTwice> {
    let authorization = answer::authorization(&headers)?;
    Ok(match server.issuer.registration(&client_id, authorization.as_deref()).await {
        Ok(registration) => answer::good(StatusCode::OK, &registration),
        Err(error) => answer::bad(&error, &error.answer()),
    })
}

pub(super) async fn remove(
    State(server): State<AuthorizationServer>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, SentTwice> {
    let authorization = answer::authorization(&headers)?;
    Ok(match server.issuer.unregister(&client_id, authorization.as_deref()).await {
        Ok(()) => (StatusCode::NO_CONTENT, answer::no_store()).into_response(),
        Err(error) => answer::bad(&error, &error.answer()),
    })
}

pub(super) async fn change(
    State(server): State<AuthorizationServer>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, SentTwice> {
    let authorization = answer::authorization(&headers)?;
    let error = server.issuer.update_registration(&client_id, authorization.as_deref()).await;
    let mut response = answer::bad(&error, &error.answer());
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, DELETE"));
    }
    Ok(response)
}
