//! `/health`, `/ready` and `/metrics` over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::now_ms;
use crate::backlog::Backlog;
use crate::chain::Chain;
use crate::metrics::Metrics;

/// Milliseconds without a block after which a node is not ready.
const STALE_MS: u64 = 30_000;

#[derive(Clone)]
struct Seen {
    chain: Arc<Chain>,
    metrics: Arc<Metrics>,
    backlog: Arc<Backlog>,
}

/// Serves until `shutdown` is ready; gives the address it listens on at once.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    chain: Arc<Chain>,
    metrics: Arc<Metrics>,
    backlog: Arc<Backlog>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route(
            "/metrics",
            get(async |State(seen): State<Seen>| seen.metrics.text()),
        )
        .with_state(Seen {
            chain,
            metrics,
            backlog,
        });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .await
        {
            tracing::error!(%error, "the metrics server ended");
        }
    });
    Ok(address)
}

/// The process answers and its database can be read.
async fn health(State(seen): State<Seen>) -> (StatusCode, Json<Value>) {
    match seen.chain.store().labels() {
        Ok(labels) => (
            StatusCode::OK,
            Json(json!({
                "status": "ok",
                "latest": labels.latest.number,
                "safe": labels.safe,
                "finalized": labels.finalized,
            })),
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({ "status": "failed", "reason": error.to_string() })),
        ),
    }
}

/// Blocks are coming, and none waits too long for a batch, as far as Bitcoin was seen.
async fn ready(State(seen): State<Seen>) -> (StatusCode, Json<Value>) {
    let last = seen.metrics.last_commit_ms();
    let age = now_ms().saturating_sub(last);
    let reason = if last == 0 {
        "no block since the start"
    } else if age > STALE_MS {
        "no block for a while"
    } else if seen.backlog.is_overdue() {
        "blocks wait too long for a batch on bitcoin"
    } else {
        return (StatusCode::OK, Json(json!({ "status": "ready", "age_ms": age })));
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Json(json!({ "status": "waiting", "reason": reason })),
    )
}
