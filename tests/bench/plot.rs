//! Plots as SVG, by hand: rectangles, lines and text are all that it takes.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
/// Room for the axis on the left, the legend on the right, the title above and the names below.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;
/// Lines of the grid; the axis is cut at round figures, so there may be one more or less.
const LINES: f64 = 6.0;
/// Colours that stay apart also for most colour-blind readers (Okabe and Ito).
const COLOURS: [&str; 6] = ["#999999", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00"];

/// A value and its span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Where it is drawn.
    pub(crate) value: f64,
    /// Where its error bar begins and ends.
    pub(crate) span: (f64, f64),
}

/// One server in a plot.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// In the legend.
    pub(crate) name: &'static str,
    /// Which colour.
    pub(crate) colour: usize,
    /// One for each group, where there is one.
    pub(crate) points: Vec<Option<Point>>,
}

/// Groups of bars or lines over an axis that begins at 0.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// Above the plot, with the unit.
    pub(crate) title: String,
    /// Below the axis.
    pub(crate) groups: Vec<String>,
    /// The servers.
    pub(crate) series: Vec<Series>,
}

/// A canvas with its vertical scale.
struct Canvas {
    text: String,
    most: f64,
    groups: usize,
}

impl Plot {
    /// A bar for each point, side by side in their group.
    pub(crate) fn bars(&self) -> String {
        let mut canvas = self.canvas();
        let width = canvas.step() * 0.8 / self.series.len().max(1) as f64;
        for (place, series) in self.series.iter().enumerate() {
            for (group, point) in series.points.iter().enumerate() {
                let Some(point) = point else { continue };
                let x = canvas.x(group) - canvas.step() * 0.4 + place as f64 * width;
                let (y, zero) = (canvas.y(point.value), canvas.y(0.0));
                let _ = writeln!(
                    canvas.text,
                    r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{}"/>"#,
                    width * 0.9,
                    zero - y,
                    colour(series.colour)
                );
                canvas.span(x + width * 0.45, *point);
            }
        }
        self.legend(canvas)
    }

    /// A line for each server through its points.
    pub(crate) fn lines(&self) -> String {
        let mut canvas = self.canvas();
        for series in &self.series {
            let points = series.points.iter().enumerate();
            let points: Vec<(f64, Point)> =
                points.filter_map(|(group, point)| Some((canvas.x(group), (*point)?))).collect();
            let path: Vec<String> =
                points.iter().map(|(x, point)| format!("{x:.1},{:.1}", canvas.y(point.value))).collect();
            let _ = writeln!(
                canvas.text,
                r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="2.5"/>"#,
                path.join(" "),
                colour(series.colour)
            );
            for (x, point) in points {
                canvas.span(x, point);
            }
        }
        self.legend(canvas)
    }

    /// Title, grid, axis and the groups' names.
    fn canvas(&self) -> Canvas {
        let points = self.series.iter().flat_map(|series| series.points.iter().flatten());
        let most = points.map(|point| point.span.1.max(point.value)).fold(0.0, f64::max).max(1e-9);
        let step = round_step(most / LINES);
        let most = (most / step).ceil() * step;
        let mut canvas = Canvas { text: String::new(), most, groups: self.groups.len().max(1) };
        let _ = writeln!(
            canvas.text,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>"##
        );
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        canvas.label(middle, TOP / 2.0, "middle", &self.title);
        let mut value = 0.0;
        while value < most + step / 2.0 {
            let y = canvas.y(value);
            let _ = writeln!(
                canvas.text,
                r##"<line x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="#dddddd"/>"##,
                WIDTH - RIGHT
            );
            let digits = usize::from(step < 1.0) + usize::from(step < 0.1);
            canvas.label(LEFT - 6.0, y + 4.0, "end", &format!("{value:.digits$}"));
            value += step;
        }
        for (group, name) in self.groups.iter().enumerate() {
            canvas.label(canvas.x(group), HEIGHT - BOTTOM + 18.0, "middle", name);
        }
        canvas
    }

    fn legend(&self, mut canvas: Canvas) -> String {
        for (place, series) in self.series.iter().enumerate() {
            let (x, y) = (WIDTH - RIGHT + 16.0, TOP + 20.0 * place as f64);
            let _ = writeln!(
                canvas.text,
                r#"<rect x="{x}" y="{y}" width="12" height="12" fill="{}"/>"#,
                colour(series.colour)
            );
            canvas.label(x + 18.0, y + 10.5, "start", series.name);
        }
        canvas.text.push_str("</svg>\n");
        canvas.text
    }
}

impl Canvas {
    /// The width of a group.
    fn step(&self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.groups as f64
    }

    /// The middle of a group.
    fn x(&self, group: usize) -> f64 {
        LEFT + self.step() * (group as f64 + 0.5)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / self.most
    }

    /// An error bar from the least to the most.
    fn span(&mut self, x: f64, point: Point) {
        let (low, high) = (self.y(point.span.0), self.y(point.span.1));
        let _ = writeln!(
            self.text,
            r##"<line x1="{x:.1}" y1="{low:.1}" x2="{x:.1}" y2="{high:.1}" stroke="#333333"/>"##
        );
    }

    fn label(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(self.text, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
    }
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// The next of 1, 2, 5, 10, … times a power of ten that is not below.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|one| one * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}
