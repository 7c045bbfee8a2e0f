//! A leaf of the rules with its cases.

use oracle::Rule;
use protocol::RoomVersion;
use vectors::Draft;

use super::scene::Scene;

/// A version in wide use, and the last in which creators are users like any other.
const IN_USE: &str = "11";

/// One rule that decides, and the events that show how.
pub(super) struct Leaf {
    pub(super) rule: Rule,
    pub(super) cases: Vec<Case>,
}

/// One event before the rules, in every room version that has the leaf.
pub(super) struct Case {
    /// `accepted` and `rejected` are the near miss that every leaf has; other names are variants.
    pub(super) name: String,
    pub(super) says: &'static str,
    pub(super) verdict: Verdict,
    applies: fn(&RoomVersion) -> bool,
    act: Box<dyn Fn(&mut Scene) -> Draft<'static>>,
}

/// What the text says of an event, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed(Rule),
    Rejected(Rule),
}

/// A leaf without cases.
pub(super) fn leaf(rule: Rule) -> Leaf {
    Leaf { rule, cases: Vec::new() }
}

impl Leaf {
    /// The event of the near miss that is allowed: by this leaf, or past it by another.
    pub(super) fn accepted(
        self,
        says: &'static str,
        by: Rule,
        act: impl Fn(&mut Scene) -> Draft<'static> + 'static,
    ) -> Self {
        self.variant("accepted", says, Verdict::Allowed(by), act)
    }

    /// The event of the near miss that is rejected: by this leaf, or past it by another.
    pub(super) fn rejected(
        self,
        says: &'static str,
        by: Rule,
        act: impl Fn(&mut Scene) -> Draft<'static> + 'static,
    ) -> Self {
        self.variant("rejected", says, Verdict::Rejected(by), act)
    }

    /// A further event.
    pub(super) fn variant(
        mut self,
        name: impl Into<String>,
        says: &'static str,
        verdict: Verdict,
        act: impl Fn(&mut Scene) -> Draft<'static> + 'static,
    ) -> Self {
        let case = Case { name: name.into(), says, verdict, applies: |_| true, act: Box::new(act) };
        self.cases.push(case);
        self
    }

    /// Leaves the last case to some of the room versions.
    pub(super) fn only(mut self, applies: fn(&RoomVersion) -> bool) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.applies = applies;
        }
        self
    }

    /// The cases of a room version; none if it lacks the leaf.
    ///
    /// The near miss is in every version. So that files stay small, variants are only where a version has them that
    /// the one before has not, in the newest version that has them, and in version [`IN_USE`].
    pub(super) fn of<'a>(&'a self, version: &'static RoomVersion) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| {
            let has = |version: &RoomVersion| self.rule.number(version).is_some() && (case.applies)(version);
            let is_last =
                |version| RoomVersion::ALL.into_iter().rfind(|version| has(version)) == Some(version);
            let before = RoomVersion::ALL.into_iter().take_while(|before| *before != version).last();
            let is_new = before.is_some_and(|before| !has(before));
            has(version) && (case.is_of_near_miss() || is_new || is_last(version) || version.id == IN_USE)
        })
    }
}

impl Case {
    /// Plays the scene up to the event that is judged.
    pub(super) fn play(&self, scene: &mut Scene) -> Draft<'static> {
        (self.act)(scene)
    }

    /// Whether this is one half of the near miss.
    pub(super) fn is_of_near_miss(&self) -> bool {
        matches!(self.name.as_str(), "accepted" | "rejected")
    }
}

impl Verdict {
    /// The rule that decides.
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Allowed(rule) | Self::Rejected(rule) => rule,
        }
    }
}
