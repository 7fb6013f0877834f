//! The things that rules remember something of, as a tree by path: a thing's tallies lie together, so that a request finds
//! those of all rules with one look.
use super::tally::Tally;
use super::watch::WatchKey;
use crate::map::{Names, Slab};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// The small number of a thing; used again when nothing is remembered of it.
pub type ThingKey = u32;

/// No thing.
const NOTHING: ThingKey = ThingKey::MAX;

/// Things are swept when there are this many, then when twice those that are left stand.
const SWEEP_MIN: usize = if cfg!(test) { 3 } else { 8_192 };

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Things {
    slab: Slab<Thing>,
    sweep_at: usize,
    #[serde(skip)]
    by_key: Names,
    /// How many tallies stand, by watch: most requests meet rules whose other case never happened. Derived.
    #[serde(skip)]
    counts: Vec<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Thing {
    key: SmolStr,
    /// The one above it; every one has all above it.
    parent: ThingKey,
    /// Which of its parent's children it is.
    nth: u32,
    children: Vec<ThingKey>,
    /// By watch. Most things have one or two.
    tallies: SmallVec<[Tally; 2]>,
}

/// A thing as a request names it.
pub struct Named {
    pub key: SmolStr,
    /// It, if anything is remembered of it.
    pub here: Option<ThingKey>,
    /// The nearest above it of which there is.
    above: Option<ThingKey>,
}

fn parent_of(key: &str) -> Option<&str> {
    key.rsplit_once('/').map(|(parent, _)| parent)
}

impl Things {
    pub fn find(&self, key: &str) -> Option<ThingKey> {
        self.by_key.get(key, |thing| self.slab[thing].key.as_str())
    }

    /// Whether anything is remembered for a watch at all.
    pub fn remember(&self, watch: WatchKey) -> bool {
        let count = self.counts.get(watch as usize);
        count.is_some_and(|count| *count > 0)
    }

    pub fn key(&self, thing: ThingKey) -> &SmolStr {
        &self.slab[thing].key
    }

    /// A thing by its name; with those above it, where `overlaps`. `hint`: where it may be.
    pub fn named(&self, key: SmolStr, hint: Option<ThingKey>, overlaps: bool) -> Named {
        let is_it = |thing: &ThingKey| {
            let thing = self.slab.get(*thing);
            thing.is_some_and(|thing| thing.key == key)
        };
        let here = hint.filter(is_it).or_else(|| self.find(&key));
        let above = match here {
            _ if !overlaps => None,
            Some(here) => Some(self.slab[here].parent).filter(|parent| *parent != NOTHING),
            None if self.by_key.len() > 0 => {
                let parents = std::iter::successors(parent_of(&key), |key| parent_of(key));
                parents.into_iter().find_map(|key| self.find(key))
            }
            None => None,
        };
        Named { key, here, above }
    }

    /// What is remembered of a thing for a watch.
    pub fn tally(&self, thing: ThingKey, watch: WatchKey) -> Option<&Tally> {
        let tallies = &self.slab.get(thing)?.tallies;
        let at = tallies.binary_search_by_key(&watch, |tally| tally.watch);
        Some(&tallies[at.ok()?])
    }

    pub fn tally_mut(&mut self, thing: ThingKey, watch: WatchKey) -> Option<&mut Tally> {
        let tallies = &mut self.slab.get_mut(thing)?.tallies;
        let at = tallies.binary_search_by_key(&watch, |tally| tally.watch);
        Some(&mut tallies[at.ok()?])
    }

    /// The same, begun if need be.
    pub fn ensure_tally(&mut self, thing: ThingKey, watch: WatchKey) -> &mut Tally {
        let tallies = &mut self.slab[thing].tallies;
        let at = tallies.binary_search_by_key(&watch, |tally| tally.watch);
        let at = at.unwrap_or_else(|at| {
            count(&mut self.counts, watch);
            tallies.insert(at, Tally::new(watch));
            at
        });
        &mut tallies[at]
    }

    /// Those above a thing, the nearest first.
    pub fn above(&self, named: &Named) -> impl Iterator<Item = ThingKey> {
        std::iter::successors(named.above, |key| {
            let parent = self.slab[*key].parent;
            (parent != NOTHING).then_some(parent)
        })
    }

    /// Those below a thing.
    pub fn below(&self, named: &Named) -> impl Iterator<Item = ThingKey> {
        let mut left: Vec<ThingKey> = match named.here {
            Some(here) => self.slab[here].children.clone(),
            None => Vec::new(),
        };
        std::iter::from_fn(move || {
            let key = left.pop()?;
            left.extend(&self.slab[key].children);
            Some(key)
        })
    }

    /// A thing, with all above it.
    pub fn ensure(&mut self, key: &SmolStr) -> ThingKey {
        if let Some(key) = self.find(key) {
            return key;
        }
        let parent = match parent_of(key) {
            Some(parent) => self.ensure(&SmolStr::new(parent)),
            None => NOTHING,
        };
        let nth = match parent {
            NOTHING => 0,
            parent => self.slab[parent].children.len() as u32,
        };
        let thing = self.slab.insert(Thing {
            key: key.clone(),
            parent,
            nth,
            children: Vec::new(),
            tallies: SmallVec::new(),
        });
        if parent != NOTHING {
            self.slab[parent].children.push(thing);
        }
        let slab = &self.slab;
        self.by_key
            .insert(thing, key, |thing| slab[thing].key.as_str());
        thing
    }

    /// Drops a thing of which nothing is remembered, and those above it that stood for it alone.
    pub fn drop_if_empty(&mut self, mut thing: ThingKey) {
        while let Some(entry) = self.slab.get_mut(thing) {
            if !entry.children.is_empty() || entry.tallies.iter().any(|tally| !tally.is_empty()) {
                return;
            }
            let Some(Thing {
                key,
                parent,
                nth,
                tallies,
                ..
            }) = self.slab.remove(thing)
            else {
                return;
            };
            self.by_key.remove(thing, &key);
            for tally in tallies {
                self.counts[tally.watch as usize] -= 1;
            }
            if parent == NOTHING {
                return;
            }
            let children = &mut self.slab[parent].children;
            children.swap_remove(nth as usize);
            if let Some(moved) = children.get(nth as usize).copied() {
                self.slab[moved].nth = nth;
            }
            thing = parent;
        }
    }

    /// Whether it is time to sweep.
    pub fn are_many(&self) -> bool {
        self.by_key.len() >= self.sweep_at.max(SWEEP_MIN)
    }

    /// Asks of every tally what it still says, and drops the things of which nothing is left.
    pub fn sweep(&mut self, tidy: impl Fn(&mut Tally)) {
        let things: Vec<ThingKey> = self.slab.iter().map(|(key, _)| key).collect();
        for thing in &things {
            let tallies = &mut self.slab[*thing].tallies;
            tallies.iter_mut().for_each(&tidy);
            let counts = &mut self.counts;
            tallies.retain(|tally| {
                if tally.is_empty() {
                    counts[tally.watch as usize] -= 1;
                }
                !tally.is_empty()
            });
        }
        for thing in things {
            self.drop_if_empty(thing);
        }
        self.sweep_at = self.by_key.len() * 2;
    }

    /// All that is remembered.
    pub fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.slab.iter().flat_map(|(_, thing)| &thing.tallies)
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (ThingKey, &Thing)> {
        self.slab.iter()
    }

    /// Builds what is derived again after a snapshot was read.
    pub fn rebuild(&mut self) {
        (self.by_key, self.counts) = (Names::default(), Vec::new());
        let things: Vec<ThingKey> = self.slab.iter().map(|(thing, _)| thing).collect();
        for thing in things {
            let tallies = &mut self.slab[thing].tallies;
            tallies.iter_mut().for_each(Tally::rebuild);
        }
        let slab = &self.slab;
        for (thing, entry) in slab.iter() {
            self.by_key
                .insert(thing, &entry.key, |thing| slab[thing].key.as_str());
            for tally in &entry.tallies {
                count(&mut self.counts, tally.watch);
            }
        }
    }
}

fn count(counts: &mut Vec<u32>, watch: WatchKey) {
    let watch = watch as usize;
    if counts.len() <= watch {
        counts.resize(watch + 1, 0);
    }
    counts[watch] += 1;
}
