//! Keys that are byte strings with much in common: addresses of pages.

use crate::stores::Random;

/// An address and what is stored for it.
pub type Page = (Vec<u8>, u64);

const SITES: u64 = 2_000;

/// So many addresses of pages, ascending, the same in every run: few sites have most of them, in
/// sections.
#[must_use]
pub fn pages(count: usize) -> Vec<Page> {
    const WORDS: [&str; 12] = [
        "archive", "article", "author", "comment", "download", "gallery", "history", "invoice",
        "product", "profile", "review", "thread",
    ];
    let mut random = Random(42);
    let mut page = |n: u64| {
        let site = random.draw() % SITES * (random.draw() % SITES) / SITES;
        let word = |draw: u64| WORDS[(draw % 12) as usize];
        let (section, kind) = (word(random.draw()), word(random.draw()));
        let (year, title) = (2000 + random.draw() % 25, random.draw() % 1_000_000);
        let url = format!("https://www.site{site}.example/{section}/{year}/{kind}-{title}-{n}");
        (url.into_bytes(), n)
    };
    let mut pages: Vec<Page> = (0..count as u64).map(&mut page).collect();
    pages.sort_unstable();
    pages
}

/// What a section's address begins with: up to the year.
#[must_use]
pub fn section(key: &[u8]) -> &[u8] {
    let cut = key.len() - key.iter().rev().take_while(|byte| **byte != b'/').count();
    &key[..cut]
}
