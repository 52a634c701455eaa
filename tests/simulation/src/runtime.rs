//! Where runs happen: each on a runtime of its own whose clock is virtual, on threads with
//! room for all functions at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Unoptimized, the functions' futures are large, and are made on the stack.
const STACK: usize = 64 << 20;

/// Runs work on virtual time.
fn virtually<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime without threads needs nothing that could be missing").block_on(work)
}

/// Does `each` of so many pieces of work, on all cores; gives what they give, in their order.
pub fn side_by_side<I: Sync, T: Send>(items: &[I], each: impl AsyncFn(&I) -> T + Sync) -> Vec<T> {
    // A second time, it is there already.
    let _ = tracing::subscriber::set_global_default(crate::invariants::Logs);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores.min(items.len()) {
            let work = || {
                while let Some((n, item)) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    items.get(n).map(|item| (n, item))
                } {
                    let result = virtually(each(item));
                    done.lock().expect("a run that panics ends the test").push((n, result));
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("threads can be made");
        }
    });
    let mut done = done.into_inner().expect("a run that panics ends the test");
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}
