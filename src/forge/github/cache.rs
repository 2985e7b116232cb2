//! The answers that are kept so that asking again costs nothing (`If-None-Match`, a 304 answer is free).
//!
//! octocrab looks in here before a request and writes what comes back, by address alone: whatever the method, the status, and also when
//! the body was cut off. So what it writes waits aside until the client has read a whole good answer and keeps it. Bounded in entries and
//! bytes: anybody may write comments of 64 KiB.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Uri};
use octocrab::service::middleware::cache::{CacheKey, CacheStorage, CacheWriter, CachedResponse};

/// How many answers are kept.
const MOST_ENTRIES: usize = 256;

/// How many bytes of bodies are kept in all.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The longest body that is kept.
const LONGEST_BODY: usize = 8 * 1024 * 1024;

/// Kept answers, shared by the client and octocrab.
#[derive(Clone, Default)]
pub(super) struct Cache {
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    kept: HashMap<Uri, Entry>,
    waiting: HashMap<Uri, Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    key: CacheKey,
    response: CachedResponse,
    used: u64,
}

/// Collects one body; drops it aside when the body is done with.
struct Writer {
    cache: Cache,
    uri: Uri,
    key: CacheKey,
    response: CachedResponse,
}

// === impl Cache ===

impl Cache {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was just written for this address: its answer was good and was read to the end.
    pub(super) fn keep(&self, uri: &Uri) {
        let mut store = self.store();
        if let Some(entry) = store.waiting.remove(uri) {
            store.remove(uri);
            if entry.response.body.len() <= LONGEST_BODY {
                store.insert(uri.clone(), entry);
            }
        }
    }

    /// Forgets an address: its answer was no good one, or was cut off.
    pub(super) fn forget(&self, uri: &Uri) {
        let mut store = self.store();
        store.waiting.remove(uri);
        store.remove(uri);
    }
}

impl CacheStorage for Cache {
    fn try_hit(&self, uri: &Uri) -> Option<CacheKey> {
        let mut store = self.store();
        store.clock += 1;
        let clock = store.clock;
        let entry = store.kept.get_mut(uri)?;
        entry.used = clock;
        Some(entry.key.clone())
    }

    fn load(&self, uri: &Uri) -> Option<CachedResponse> {
        // octocrab panics on `None`. An entry can be gone since `try_hit`; its empty body is then an answer that cannot be read.
        Some(self.store().kept.get(uri).map(|entry| entry.response.clone()).unwrap_or_default())
    }

    fn writer(&self, uri: &Uri, key: CacheKey, headers: HeaderMap) -> Box<dyn CacheWriter> {
        Box::new(Writer { cache: self.clone(), uri: uri.clone(), key, response: CachedResponse { body: Vec::new(), headers } })
    }
}

// === impl Store ===

impl Store {
    fn remove(&mut self, uri: &Uri) {
        if let Some(entry) = self.kept.remove(uri) {
            self.bytes -= entry.response.body.len();
        }
    }

    fn insert(&mut self, uri: Uri, mut entry: Entry) {
        self.clock += 1;
        entry.used = self.clock;
        self.bytes += entry.response.body.len();
        self.kept.insert(uri, entry);
        while self.kept.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, entry)| entry.used).map(|(uri, _)| uri.clone()) else {
                break;
            };
            self.remove(&oldest);
        }
    }
}

// === impl Writer ===

impl CacheWriter for Writer {
    fn write_body(&mut self, data: &[u8]) {
        // One byte over the limit is enough to know that it is not kept.
        let room = (LONGEST_BODY + 1).saturating_sub(self.response.body.len());
        self.response.body.extend_from_slice(&data[..data.len().min(room)]);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let entry = Entry { key: self.key.clone(), response: std::mem::take(&mut self.response), used: 0 };
        self.cache.store().waiting.insert(self.uri.clone(), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(cache: &Cache, uri: &Uri, body: &[u8]) {
        let mut writer = cache.writer(uri, CacheKey::ETag("\"a\"".to_owned()), HeaderMap::new());
        writer.write_body(body);
    }

    #[test]
    fn only_what_is_kept_is_hit() {
        let (cache, uri) = (Cache::default(), Uri::from_static("/a"));
        write(&cache, &uri, b"cut off");
        assert!(cache.try_hit(&uri).is_none());
        cache.forget(&uri);
        cache.keep(&uri);
        assert!(cache.try_hit(&uri).is_none());
        write(&cache, &uri, b"whole");
        cache.keep(&uri);
        assert!(cache.try_hit(&uri).is_some());
        assert_eq!(cache.load(&uri).unwrap().body, b"whole");
    }

    #[test]
    fn it_is_bounded_in_entries_and_bytes() {
        let cache = Cache::default();
        let uri = |number: usize| format!("/{number}").parse::<Uri>().unwrap();
        for number in 0..MOST_ENTRIES + 50 {
            write(&cache, &uri(number), b"x");
            cache.keep(&uri(number));
        }
        assert_eq!(cache.store().kept.len(), MOST_ENTRIES);
        assert!(cache.try_hit(&uri(0)).is_none() && cache.try_hit(&uri(MOST_ENTRIES)).is_some());
        for number in 0..6 {
            write(&cache, &uri(number), &vec![b'x'; LONGEST_BODY]);
            cache.keep(&uri(number));
        }
        assert!(cache.store().bytes <= MOST_BYTES);
        write(&cache, &uri(9), &vec![b'x'; LONGEST_BODY + 5]);
        cache.keep(&uri(9));
        assert!(cache.try_hit(&uri(9)).is_none());
    }

    #[test]
    fn an_entry_that_is_gone_does_not_panic() {
        assert!(Cache::default().load(&Uri::from_static("/gone")).unwrap().body.is_empty());
    }
}
