//! The server: few short connections, one answer each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::{Watched, health, metrics};

/// The most connections at once; whoever comes beyond it is hung up on.
const MOST: usize = 64;
/// How long a client has to ask.
const ASKING: Duration = Duration::from_secs(5);
/// How long a connection may take in all.
const CONNECTION: Duration = Duration::from_secs(30);
/// How long to rest when no connection could be taken, as when the process has too many files open.
const REST: Duration = Duration::from_millis(100);

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const METRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

type Answer = Response<Full<Bytes>>;

/// Answers until it is told to stop, or nobody is left who could tell. It no longer listens when it lets go of `stop`.
pub(super) async fn serve(listener: TcpListener, watched: Arc<Watched>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(REST).await;
            continue;
        };
        if let Ok(place) = room.clone().try_acquire_owned() {
            let watched = watched.clone();
            tokio::spawn(async move {
                converse(stream, watched).await;
                drop(place);
            });
        }
    }
    drop(listener);
    drop(stop);
}

async fn converse(stream: TcpStream, watched: Arc<Watched>) {
    let service = service_fn(|request: Request<Incoming>| {
        let watched = watched.clone();
        async move { Ok::<_, Infallible>(answer(&request, &watched).await) }
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or talks something else, is nothing to tell anyone of.
    let _ = timeout(CONNECTION, conversation).await;
}

async fn answer(request: &Request<Incoming>, watched: &Watched) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
    }
    match request.uri().path() {
        "/livez" => {
            let life = health::life(watched);
            json(life.alive, &life)
        }
        "/readyz" => {
            let readiness = health::readiness(watched).await;
            json(readiness.ready, &readiness)
        }
        "/metrics" => match watched.engine.upgrade() {
            Some(engine) => reply(StatusCode::OK, METRICS, metrics::text(&engine, Some(watched.silent_for())).await),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the database was closed\n"),
        },
        _ => plain(StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics\n"),
    }
}

fn json<T: Serialize>(well: bool, value: &T) -> Answer {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(value) {
        Ok(text) => reply(status, JSON, text + "\n"),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Answer {
    reply(status, PLAIN, text.into())
}

fn reply(status: StatusCode, kind: HeaderValue, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
