//! Host names looked up once for connections that are opened together: a function opens
//! several to one host at its first event, and each lookup takes a thread.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// How long an address is used again; AWS's names live for about a minute.
const FRESH: Duration = Duration::from_secs(5);

type Addresses = Shared<BoxFuture<'static, Result<Arc<[SocketAddr]>, Arc<io::Error>>>>;

#[derive(Clone, Default)]
pub(super) struct Resolver(Arc<Mutex<HashMap<String, (Instant, Addresses)>>>);

impl Resolver {
    fn addresses(&self, host: &str) -> Addresses {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(host) {
            Some((since, addresses)) if since.elapsed() < FRESH && !has_failed(addresses) => {
                addresses.clone()
            }
            _ => {
                let addresses = look_up(host.to_owned()).boxed().shared();
                known.insert(host.to_owned(), (Instant::now(), addresses.clone()));
                addresses
            }
        }
    }
}

fn has_failed(addresses: &Addresses) -> bool {
    addresses.peek().is_some_and(Result::is_err)
}

async fn look_up(host: String) -> Result<Arc<[SocketAddr]>, Arc<io::Error>> {
    // The port is the connector's to set.
    Ok(tokio::net::lookup_host((host, 0)).await.map_err(Arc::new)?.collect())
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
        let resolver = Resolver::default();
        let (one, two) = (resolver.addresses("localhost"), resolver.addresses("localhost"));
        assert!(one.ptr_eq(&two));
        assert!(one.await.unwrap().iter().all(|address| address.ip().is_loopback()));
        assert!(two.ptr_eq(&resolver.addresses("localhost")));
        let unknown = resolver.addresses("no such host");
        assert!(unknown.clone().await.is_err());
        assert!(!unknown.ptr_eq(&resolver.addresses("no such host")), "a failure is not kept");
    }
}
