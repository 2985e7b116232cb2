//! The range of every parameter of every archetype, and which half of it is held out.
//!
//! Each range is cut into four quarters (on its own scale). The first and third are for tuning, the second and fourth are held out and
//! scored separately. The two halves share no value, and both hold small and large ones. These numbers were fixed before the engine was
//! tuned with them; an archetype that is added later fixes its ranges in a commit of its own as well.

use self::Scale::{Even, Log};
use crate::random::Random;

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// For tuning.
    Tuned,
    /// Never looked at while tuning.
    HeldOut,
}

/// On what scale a range is cut and drawn from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Even,
    /// Evenly by its logarithm.
    Log,
}

/// A parameter: its name, its lowest and highest value, and its scale.
pub type Range = (&'static str, f64, f64, Scale);

/// The quarters of each half.
const fn quarters(half: Half) -> [f64; 2] {
    match half {
        Half::Tuned => [0.0, 0.5],
        Half::HeldOut => [0.25, 0.75],
    }
}

/// Draws the parameters of one incident.
pub struct Draw {
    /// Which half.
    pub half: Half,
    /// Which archetype.
    pub archetype: &'static str,
}

impl Draw {
    /// A value of the archetype's range, or of the one that all share.
    pub fn value(&self, random: &mut Random, name: &str) -> f64 {
        let own = ARCHETYPES.iter().find(|(archetype, _)| *archetype == self.archetype).map_or(&[][..], |(_, ranges)| ranges);
        let range = own.iter().chain(WORLD).find(|(range, ..)| *range == name);
        let &(_, low, high, scale) = range.unwrap_or_else(|| unreachable!("no range `{name}` for `{}`", self.archetype));
        let place = quarters(self.half)[random.below(2)] + 0.25 * random.unit();
        match scale {
            Even => low + (high - low) * place,
            Log => (low.ln() + (high.ln() - low.ln()) * place).exp(),
        }
    }
}

/// What every incident has: times in seconds, requests a second, shares.
pub const WORLD: &[Range] = &[
    ("services", 5.0, 13.0, Even),
    ("before", 4320.0, 5400.0, Even),
    ("after", 900.0, 1500.0, Even),
    ("rate", 1.0, 60.0, Log),
    ("baseError", 0.00005, 0.0006, Log),
    ("noise", 0.05, 0.45, Even),
    ("correlation", 0.3, 0.9, Even),
    ("headroom", 2.0, 3.4, Even),
    ("latencyNoise", 0.03, 0.16, Even),
    ("poll", 8.0, 30.0, Even),
    ("applyDelay", 15.0, 180.0, Log),
    ("rollout", 15.0, 110.0, Log),
    ("backgroundGap", 420.0, 1500.0, Even),
    ("blip", 0.0005, 0.008, Log),
    ("severity", 0.0, 1.0, Even),
    ("delay", 0.5, 240.0, Log),
    // An independent fault of a service comes this long after its last change. Closer than that, nothing in the file could tell it from
    // the change's own; such incidents are in `coincidence`, which is shown apart.
    ("distance", 1200.0, 4200.0, Log),
];

/// What each archetype has besides, or instead.
pub const ARCHETYPES: &[(&str, &[Range])] = &[
    ("latency", &[("factor", 1.25, 4.0, Log)]),
    ("totalFailure", &[("severity", 1.0, 1.0, Even)]),
    ("partialRollout", &[("share", 0.25, 0.7, Even), ("rollout", 120.0, 600.0, Log)]),
    ("slowSync", &[("applyDelay", 420.0, 1500.0, Log)]),
    ("lowTrafficRegression", &[("rate", 0.3, 1.0, Log), ("severity", 0.5, 1.0, Even)]),
    ("slowLeak", &[("before", 4320.0, 7200.0, Even), ("ramp", 1200.0, 4200.0, Log), ("after", 2400.0, 4200.0, Even)]),
    ("lateEffect", &[("delay", 480.0, 1800.0, Log)]),
    ("severalInOneSync", &[("changes", 2.0, 5.0, Even)]),
    ("innocentThenGuilty", &[("gap", 60.0, 600.0, Log)]),
    ("guiltyThenInnocent", &[("gap", 60.0, 300.0, Log)]),
    ("cascade", &[("share", 0.3, 0.9, Even), ("lag", 5.0, 90.0, Log)]),
    ("cascadeWithDecoy", &[("share", 0.3, 0.9, Even), ("lag", 5.0, 90.0, Log), ("gap", 60.0, 900.0, Log)]),
    ("guiltyDependency", &[("share", 0.4, 1.0, Even)]),
    ("vanishing", &[("alive", 0.0, 90.0, Even)]),
    ("gapsWhileGuilty", &[("missing", 0.01, 0.15, Log)]),
    ("manyObjects", &[("objects", 25.0, 200.0, Log)]),
    ("conflict", &[("gap", 30.0, 200.0, Log)]),
    ("laterDependentChange", &[("gap", 1.0, 60.0, Even)]),
    ("cooldown", &[("ago", 120.0, 1500.0, Log)]),
    ("humanRevert", &[("reaction", 5.0, 45.0, Log)]),
    ("fixForward", &[("reaction", 5.0, 45.0, Log)]),
    ("flapping", &[("on", 20.0, 150.0, Log), ("off", 90.0, 600.0, Log), ("severity", 0.1, 0.7, Even)]),
    ("deployBlip", &[("blip", 0.05, 0.8, Log), ("rollout", 15.0, 55.0, Log)]),
    ("lowTraffic", &[("rate", 0.01, 0.2, Log), ("baseError", 0.002, 0.04, Log)]),
    ("noisyDay", &[("noise", 0.5, 1.1, Even), ("latencyNoise", 0.1, 0.22, Even)]),
    ("diurnal", &[("swing", 0.3, 0.9, Even)]),
    ("outageAfterDeploy", &[("gap", 5.0, 600.0, Log), ("spread", 1.0, 90.0, Log)]),
    ("partialOutage", &[("gap", 5.0, 600.0, Log), ("spread", 1.0, 60.0, Log), ("share", 0.45, 0.9, Even)]),
    ("sharedDependency", &[("gap", 5.0, 600.0, Log), ("spread", 1.0, 60.0, Log)]),
    ("trafficSpike", &[("gap", 30.0, 900.0, Log), ("traffic", 2.5, 8.0, Log)]),
    ("isolation", &[("gap", 5.0, 600.0, Log)]),
    ("isolationSomeControls", &[("gap", 5.0, 600.0, Log)]),
    ("metricsGap", &[("gap", 5.0, 600.0, Log), ("long", 120.0, 1500.0, Log)]),
    ("counterReset", &[("gap", 5.0, 600.0, Log)]),
    ("staleAfterDeploy", &[("gap", 5.0, 300.0, Log)]),
    ("breachBefore", &[("ahead", 180.0, 900.0, Log)]),
    ("ledByBreach", &[("ahead", 75.0, 180.0, Even)]),
    ("syncPaused", &[("gap", 30.0, 900.0, Log)]),
    ("syncFailed", &[("gap", 30.0, 900.0, Log)]),
    ("retryStorm", &[("outage", 300.0, 900.0, Even), ("storm", 240.0, 900.0, Log)]),
    ("inducedAfterSecurityFix", &[("gap", 60.0, 500.0, Log), ("traffic", 4.0, 20.0, Log)]),
    ("cosmetic", &[("gap", 5.0, 400.0, Log)]),
    ("unmappedGuilty", &[("gap", 20.0, 200.0, Log)]),
    ("neighbourBusy", &[("gap", 5.0, 300.0, Log)]),
    ("nightlyJob", &[("gap", 30.0, 900.0, Log), ("long", 240.0, 1500.0, Log), ("late", -45.0, 45.0, Even)]),
    ("coincidence", &[("distance", 5.0, 1200.0, Log)]),
];
