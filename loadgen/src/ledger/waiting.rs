//! Who of the receivers of a message has it: a bit for each, because a room may have ten thousand of them.

/// The receivers of one message, by their places.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    missing: Vec<u64>,
    behind_gaps: Vec<u64>,
    owed: u64,
    received: u64,
}

impl Waiting {
    /// So many receivers, without the sender.
    pub(super) fn all_but(many: usize, sender: Option<usize>) -> Self {
        let mut missing = vec![u64::MAX; many.div_ceil(64)];
        if let (Some(last), used @ 1..) = (missing.last_mut(), many % 64) {
            *last = (1 << used) - 1;
        }
        if let Some(sender) = sender {
            missing[sender / 64] &= !(1 << (sender % 64));
        }
        let owed = ones(&missing);
        Waiting { behind_gaps: vec![0; missing.len()], missing, owed, received: 0 }
    }

    /// The receiver at this place has it. Whether that was owed and is news.
    pub(super) fn received(&mut self, place: usize) -> bool {
        let (word, bit) = (place / 64, 1 << (place % 64));
        let is_news = (self.missing[word] | self.behind_gaps[word]) & bit != 0;
        self.missing[word] &= !bit;
        self.behind_gaps[word] &= !bit;
        self.received += u64::from(is_news);
        is_news
    }

    /// For the receiver at this place it is behind a gap, if he does not have it.
    pub(super) fn skipped(&mut self, place: usize) {
        let (word, bit) = (place / 64, 1 << (place % 64));
        self.behind_gaps[word] |= self.missing[word] & bit;
        self.missing[word] &= !bit;
    }

    /// How many are to receive it.
    pub(super) fn owed(&self) -> u64 {
        self.owed
    }

    /// How many have not received it, and are behind no gap.
    pub(super) fn missing(&self) -> u64 {
        ones(&self.missing)
    }

    /// For how many it is behind a gap.
    pub(super) fn behind_gaps(&self) -> u64 {
        ones(&self.behind_gaps)
    }

    /// Whether everybody has it.
    pub(super) fn is_done(&self) -> bool {
        self.received == self.owed
    }
}

fn ones(words: &[u64]) -> u64 {
    words.iter().map(|word| u64::from(word.count_ones())).sum()
}
