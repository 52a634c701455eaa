//! Host names looked up once for connections that are opened together: a function opens
//! several to one host at its first event, and each lookup takes a thread.
//!
//! A name that leads to an address which must not be connected to leads nowhere.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::address::{Loopback, refused};

/// How long an address is used again; AWS's names live for about a minute.
const FRESH: Duration = Duration::from_secs(5);

type Addresses = Shared<BoxFuture<'static, Result<Arc<[SocketAddr]>, Arc<io::Error>>>>;

#[derive(Clone)]
pub(super) struct Resolver {
    known: Arc<Mutex<HashMap<String, (Instant, Addresses)>>>,
    loopback: Loopback,
}

impl Resolver {
    pub fn new(loopback: Loopback) -> Self {
        Self { known: Arc::default(), loopback }
    }

    fn addresses(&self, host: &str) -> Addresses {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(host) {
            Some((since, addresses)) if since.elapsed() < FRESH && !has_failed(addresses) => {
                addresses.clone()
            }
            _ => {
                let addresses = look_up(host.to_owned(), self.loopback).boxed().shared();
                known.insert(host.to_owned(), (Instant::now(), addresses.clone()));
                addresses
            }
        }
    }
}

fn has_failed(addresses: &Addresses) -> bool {
    addresses.peek().is_some_and(Result::is_err)
}

async fn look_up(host: String, loopback: Loopback) -> Result<Arc<[SocketAddr]>, Arc<io::Error>> {
    // The port is the connector's to set.
    let addresses = tokio::net::lookup_host((host.as_str(), 0)).await.map_err(Arc::new)?;
    let addresses: Arc<[SocketAddr]> = addresses.collect();
    let wrong = addresses.iter().find_map(|a| Some((a.ip(), refused(a.ip(), loopback)?)));
    wrong.map_or(Ok(addresses), |(address, why)| {
        let what = format!("{host} leads to {address}, {why}, which is never connected to");
        Err(Arc::new(io::Error::new(io::ErrorKind::PermissionDenied, what)))
    })
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Arc<io::Error>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.addresses(name.as_str());
        async move { Ok(addresses.await?.to_vec().into_iter()) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_is_looked_up_once_for_all_that_ask_at_the_same_time() {
        let resolver = Resolver::new(Loopback::Allowed);
        let (one, two) = (resolver.addresses("localhost"), resolver.addresses("localhost"));
        assert!(one.ptr_eq(&two));
        assert!(one.await.unwrap().iter().all(|address| address.ip().is_loopback()));
        assert!(two.ptr_eq(&resolver.addresses("localhost")));
        let unknown = resolver.addresses("no such host");
        assert!(unknown.clone().await.is_err());
        assert!(!unknown.ptr_eq(&resolver.addresses("no such host")), "a failure is not kept");
    }
    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let refused = Resolver::new(Loopback::Refused).addresses("localhost").await.unwrap_err();
        assert!(refused.to_string().contains("a loopback address"), "{refused}");
    }
}
