//! Random numbers from a seed: the same incident on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood 2014) seeds xoshiro256** (Blackman, Vigna 2018). Nothing here is for secrets.

/// A source of random numbers.
#[derive(Clone)]
pub struct Random([u64; 4]);

impl Random {
    /// The source of one incident: seed and number both count.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ number.wrapping_mul(0xD129_0D3F_5C1B_9E37);
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        };
        Self([next(), next(), next(), next()])
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let result = self.0[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.0[1] << 17;
        self.0[2] ^= self.0[0];
        self.0[3] ^= self.0[1];
        self.0[1] ^= self.0[2];
        self.0[0] ^= self.0[3];
        self.0[2] ^= shifted;
        self.0[3] = self.0[3].rotate_left(45);
        result
    }

    /// From 0 up to but not 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` up to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A number below `count`, which is over 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count - 1)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// A Poisson count: by products of uniforms (Knuth) for small means, else by its normal limit.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean <= 0.0 {
            return 0.0;
        }
        if mean > 40.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > limit {
            product *= self.unit();
            count += 1.0;
        }
        count
    }

    /// How many of `count` events happen with this probability: one by one where few are expected, else by the normal limit.
    pub fn binomial(&mut self, count: f64, probability: f64) -> f64 {
        let probability = probability.clamp(0.0, 1.0);
        let mean = count * probability;
        if mean < 20.0 {
            return self.poisson(mean).min(count);
        }
        if count - mean < 20.0 {
            return count - self.poisson(count - mean).min(count);
        }
        (mean + (mean * (1.0 - probability)).sqrt() * self.normal()).round().clamp(0.0, count)
    }

    /// Forty hexadecimal digits.
    pub fn object_id(&mut self) -> String {
        let text = format!("{:016x}{:016x}{:016x}", self.bits(), self.bits(), self.bits());
        text[..40].to_owned()
    }
}
