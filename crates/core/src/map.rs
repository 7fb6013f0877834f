//! The containers of the state: every iteration order is a function of what was put in and taken out.
//!
//! `Map` and `Set` hash for speed and iterate in insertion order, so the per-process random hash key (a
//! guard against crafted collisions) can never be observed. `Slab` hands out small stable keys.
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hasher};
use std::ops::{Index, IndexMut};

/// A map that iterates in insertion order; `swap_remove` moves the last entry into the gap.
pub type Map<K, V> = indexmap::IndexMap<K, V, ahash::RandomState>;
/// A set that iterates in insertion order.
pub type Set<K> = indexmap::IndexSet<K, ahash::RandomState>;

/// Finds the small key of a name that is stored elsewhere, under that key. Touches one line of memory more than the
/// value itself; never iterated.
#[derive(Debug, Default)]
pub struct Names {
    table: HashTable<u32>,
    hasher: ahash::RandomState,
}

impl Names {
    /// The key whose name, as `name_of` tells it, is this one.
    pub fn get<'s>(&self, name: &str, name_of: impl Fn(u32) -> &'s str) -> Option<u32> {
        let hash = self.hash(name);
        self.table.find(hash, |key| name_of(*key) == name).copied()
    }

    /// Files a key under its name, which must not be filed yet.
    pub fn insert<'s>(&mut self, key: u32, name: &str, name_of: impl Fn(u32) -> &'s str) {
        let hash = self.hash(name);
        let hasher = &self.hasher;
        self.table
            .insert_unique(hash, key, |key| hash_of(hasher, name_of(*key)));
    }

    pub fn remove(&mut self, key: u32, name: &str) {
        let hash = self.hash(name);
        if let Ok(found) = self.table.find_entry(hash, |other| *other == key) {
            found.remove();
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    fn hash(&self, name: &str) -> u64 {
        hash_of(&self.hasher, name)
    }
}

/// Of the bytes alone: what `str` adds to tell it from what follows is not needed where nothing does.
fn hash_of(hasher: &ahash::RandomState, name: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// Values under small keys that stay valid until the value is removed; freed keys are used again, last first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Puts a value in; returns its key.
    pub fn insert(&mut self, value: T) -> u32 {
        if let Some(key) = self.free.pop() {
            self.slots[key as usize] = Some(value);
            return key;
        }
        let key = u32::try_from(self.slots.len()).expect("bounded far below 2^32");
        self.slots.push(Some(value));
        key
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: u32) -> Option<T> {
        let value = self.slots.get_mut(key as usize)?.take()?;
        self.free.push(key);
        Some(value)
    }

    /// Looks a value up.
    pub fn get(&self, key: u32) -> Option<&T> {
        self.slots.get(key as usize)?.as_ref()
    }

    /// Looks a value up, to change it.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.slots.get_mut(key as usize)?.as_mut()
    }

    /// All values in key order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(key, slot)| Some((key as u32, slot.as_ref()?)))
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, key: u32) -> &T {
        self.slots[key as usize].as_ref().expect("a live key")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.slots[key as usize].as_mut().expect("a live key")
    }
}
