//! An axis: where a value stands on it, and where it is marked.

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal factors; both ends are above zero.
    Logarithmic,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures, with the unit.
    pub label: String,
    /// The value at its start.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    /// How values are spread.
    pub scale: Scale,
}

/// A mark on an axis.
pub(super) struct Tick {
    pub(super) at: f64,
    /// `None` for one of the lines between.
    pub(super) name: Option<String>,
}

impl Axis {
    /// How far along the axis a value stands: 0 at the start, 1 at the end.
    pub(super) fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => (value / self.from).ln() / (self.to / self.from).ln(),
        }
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear(),
            Scale::Logarithmic => self.logarithmic(),
        }
    }

    /// Steps of 1, 2 or 5 times a power of ten, eight at most.
    fn linear(&self) -> Vec<Tick> {
        const MOST: f64 = 8.0;
        let width = self.to - self.from;
        let power = 10f64.powf((width / MOST).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| width / step <= MOST).unwrap_or(width);
        let first = (self.from / step).ceil();
        let steps = (0..=10).map(|n| (first + f64::from(n)) * step);
        let within = steps.take_while(|&at| at <= self.to * (1.0 + f64::EPSILON));
        within.map(|at| Tick { at, name: Some(name(at)) }).collect()
    }

    /// Every digit of every decade is marked; the fewer decades, the more digits are named.
    fn logarithmic(&self) -> Vec<Tick> {
        let named: &[u8] = match (self.to / self.from).log10() {
            ..1.3 => &[1, 2, 3, 4, 5, 7],
            1.3..2.5 => &[1, 2, 5],
            _ => &[1, 3],
        };
        let mut ticks = Vec::new();
        let mut decade = 10f64.powf(self.from.log10().floor());
        while decade <= self.to {
            for digit in 1..10u8 {
                let at = decade * f64::from(digit);
                if self.holds(at) {
                    let name = named.contains(&digit).then(|| name(at));
                    ticks.push(Tick { at, name });
                }
            }
            decade *= 10.0;
        }
        ticks
    }
}

/// `1500`, `100k`, `12,345` or `0.25`: no digits that say nothing, and none that lie upon the axis'
/// label.
fn name(value: f64) -> String {
    for (unit, letter) in [(1e6_f64, "M"), (1e3, "k")] {
        if value.abs() >= unit.max(1e4) && value % unit == 0.0 {
            return format!("{:.0}{letter}", value / unit);
        }
    }
    if value.fract().abs() > 1e-9 {
        return format!("{value:.2}").trim_end_matches('0').to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut name = if value < 0.0 { "−".to_owned() } else { String::new() };
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) && digits.len() > 4 {
            name.push(',');
        }
        name.push(digit);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{Axis, Scale, name};

    fn names(from: f64, to: f64, scale: Scale) -> Vec<String> {
        let axis = Axis { label: String::new(), from, to, scale };
        axis.ticks().into_iter().filter_map(|tick| tick.name).collect()
    }

    #[test]
    fn linear_steps_are_round() {
        assert_eq!(names(0.0, 100.0, Scale::Linear), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(names(0.0, 600.0, Scale::Linear).len(), 7);
        assert_eq!(names(0.0, 1.0, Scale::Linear)[1], "0.2");
    }

    #[test]
    fn decades_are_named_as_densely_as_there_is_room() {
        let expected = ["100", "200", "500", "1000", "2000"];
        assert_eq!(names(100.0, 4000.0, Scale::Logarithmic), expected);
        assert_eq!(
            names(1.0, 1000.0, Scale::Logarithmic),
            ["1", "3", "10", "30", "100", "300", "1000"]
        );
    }

    #[test]
    fn long_numbers_are_short_or_grouped() {
        assert_eq!(name(100_000.0), "100k");
        assert_eq!(name(1_000_000.0), "1M");
        assert_eq!(name(12_345.0), "12,345");
        assert_eq!(name(2500.0), "2500");
    }
}
