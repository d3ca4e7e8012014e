//! What the stages find out on their way: faults, warnings, and which settings have been spoken
//! of already, so that one slip is reported once.

use serde_json::Value;

use super::{
    fault::{Fault, Faults, KeyPath, Place, Step, Warning},
    source_text::Places,
};

/// Collects what is found.
pub(super) struct Findings {
    /// Where everything was written.
    pub(super) places: Places,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
    excused: Vec<KeyPath>,
    pruned: Vec<KeyPath>,
}

impl Findings {
    pub(super) fn new(places: Places) -> Self {
        Self { places, faults: Vec::new(), warnings: Vec::new(), excused: Vec::new(), pruned: Vec::new() }
    }

    /// A fault of a setting's value.
    pub(super) fn fault(&mut self, path: &KeyPath, message: impl Into<String>, mend: impl Into<String>) {
        self.faults.push(self.places.fault(path, message, mend));
    }

    /// As [`Places::fault_in_words`].
    pub(super) fn fault_in_words(&mut self, path: &KeyPath, text: &str) {
        self.faults.push(self.places.fault_in_words(path, text));
    }

    /// A fault of a setting as a whole, whatever its value.
    pub(super) fn fault_at_key(&mut self, path: &KeyPath, message: impl Into<String>, mend: impl Into<String>) {
        self.fault_at(self.places.locate_key(path), path, message, mend);
    }

    /// A fault at a place of its own.
    pub(super) fn fault_at(
        &mut self,
        place: Place,
        path: &KeyPath,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.faults.push(Fault { place, path: path.clone(), message: message.into(), mend: mend.into() });
    }

    /// A fault of a setting that is not there, unless the reason for that was named already.
    pub(super) fn missing(&mut self, path: &KeyPath, message: impl Into<String>, mend: impl Into<String>) {
        if !self.is_spoken_of(path) {
            self.fault(path, message, mend);
        }
    }

    pub(super) fn warn(&mut self, path: &KeyPath, message: impl Into<String>, mend: impl Into<String>) {
        self.warnings.push(self.places.fault(path, message, mend));
    }

    /// Says that the reason for whatever is wrong with `path` was named elsewhere.
    pub(super) fn excuse(&mut self, path: KeyPath) {
        self.excused.push(path);
    }

    /// As [`Findings::excuse`], and takes all that is inside out of the tree when it is pruned.
    pub(super) fn excuse_with_all_inside(&mut self, path: KeyPath) {
        self.pruned.push(path.clone());
        self.excused.push(path);
    }

    /// Whether a fault at, around or inside of `path` was named.
    pub(super) fn is_spoken_of(&self, path: &KeyPath) -> bool {
        let touches = |other: &KeyPath| path.is_around(other) || other.is_around(path);
        let root = KeyPath::root();
        self.faults.iter().map(|fault| &fault.path).chain(&self.excused).any(|other| *other != root && touches(other))
    }

    /// Whether a fault at or inside of `path` was named.
    pub(super) fn is_wrong_inside(&self, path: &KeyPath) -> bool {
        self.faults.iter().map(|fault| &fault.path).chain(&self.excused).any(|other| path.is_around(other))
    }

    /// Takes out of `tree` what faults were found for so far: the later stages then look at the rest.
    pub(super) fn prune(&self, tree: &mut Value) {
        for path in self.faults.iter().map(|fault| &fault.path).chain(&self.pruned) {
            remove(tree, path.steps());
        }
    }

    pub(super) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    pub(super) fn into_faults(self) -> Faults {
        Faults::new(self.faults)
    }

    /// The warnings, sorted by place, and the places.
    pub(super) fn into_parts(mut self) -> (Vec<Warning>, Places) {
        self.warnings.sort();
        (self.warnings, self.places)
    }
}

/// Removes what is at `steps`; of an array with a faulty element, the whole.
fn remove(tree: &mut Value, steps: &[Step]) {
    let [Step::Key(key), rest @ ..] = steps else { return };
    let Value::Object(map) = tree else { return };
    match rest {
        [Step::Key(_), ..] => {
            if let Some(inner) = map.get_mut(&**key) {
                remove(inner, rest);
            }
        }
        _ => {
            map.shift_remove(&**key);
        }
    }
}
