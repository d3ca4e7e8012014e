//! The connection between one call and the server: a transport on which nothing is written as
//! bytes. What the server sends comes out in the order in which it was sent.

use std::future::{Future, pending};

use rmcp::{
    model::{
        ClientConfig, ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, InitializeRequest,
        InitializedNotification, JsonRpcMessage, NumberOrString, ServerNotification,
    },
    service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use tokio::sync::mpsc;

/// How many notifications may wait for the client before the server has to.
const BUFFER: usize = 16;

/// The server's end.
pub(super) struct Link {
    to_server: mpsc::Sender<ClientJsonRpcMessage>,
    at_server: mpsc::Receiver<ClientJsonRpcMessage>,
    notifications: Option<mpsc::Sender<ServerNotification>>,
}

/// The other end is gone.
#[derive(Debug, thiserror::Error)]
#[error("the call that this connection was for has ended")]
pub(super) struct Ended;

impl Link {
    /// The connection of one call, and what the server reports on it.
    pub(super) fn for_one_call() -> (Self, mpsc::Receiver<ServerNotification>) {
        let (notifications, receiver) = mpsc::channel(BUFFER);
        (Self { notifications: Some(notifications), ..Self::unheard() }, receiver)
    }

    /// A connection on which `client` initializes. What the server reports on it is dropped.
    pub(super) fn initializing(client: ClientConfig) -> Self {
        let link = Self::unheard();
        let request = ClientRequest::InitializeRequest(InitializeRequest::new(client));
        let initialized = ClientNotification::InitializedNotification(InitializedNotification::default());
        for message in
            [JsonRpcMessage::request(request, NumberOrString::Number(0)), JsonRpcMessage::notification(initialized)]
        {
            // There is room for both.
            let _ = link.to_server.try_send(message);
        }
        link
    }

    fn unheard() -> Self {
        let (to_server, at_server) = mpsc::channel(BUFFER);
        Self { to_server, at_server, notifications: None }
    }
}

impl Transport<RoleServer> for Link {
    type Error = Ended;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Ended>> + Send + 'static {
        let (to_server, notifications) = (self.to_server.clone(), self.notifications.clone());
        async move {
            match (message, notifications) {
                (JsonRpcMessage::Notification(message), Some(notifications)) => {
                    notifications.send(message.notification).await.map_err(|_| Ended)
                }
                // Asks the client for something: sampling, elicitation, roots.
                (JsonRpcMessage::Request(message), _) => {
                    let error = ErrorData::invalid_request("this client answers no requests", None);
                    to_server.send(JsonRpcMessage::error(error, Some(message.id))).await.map_err(|_| Ended)
                }
                _ => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        match self.at_server.recv().await {
            Some(message) => Some(message),
            // `self` holds a sender, so the channel does not close.
            None => pending().await,
        }
    }

    async fn close(&mut self) -> Result<(), Ended> {
        self.notifications = None;
        Ok(())
    }
}
