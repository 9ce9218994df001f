//! The files of the page, part of the binary.

use hyper::StatusCode;

use super::payload::{Reply, whole};

/// Path, media type, content.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/catchment.js", "text/javascript; charset=utf-8", include_str!("page/catchment.js")),
    ("/chart.js", "text/javascript; charset=utf-8", include_str!("page/chart.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// The file at this path.
pub(super) fn page(path: &str) -> Option<Reply> {
    let (_, media_type, content) = FILES.iter().find(|(known, ..)| *known == path)?;
    Some(whole(StatusCode::OK, media_type, *content))
}
