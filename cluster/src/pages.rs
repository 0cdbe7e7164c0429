//! Listings, page by page: each with as many objects as make a page of a good size.

use crate::api::{ClusterApi, Page};
use crate::error::{CallError, Unknown};
use crate::limits::{PAGE_BYTES_TARGET, PAGE_ITEMS_MAX};
use tallyman_model::record::Extent;

/// How many objects the next page is asked for, at most `max`, after one that was asked for `asked` had `items` in
/// `bytes`. It grows slowly: the next objects may be larger.
#[must_use]
pub(crate) fn page_items(asked: u32, max: u32, items: usize, bytes: usize) -> u32 {
    if items == 0 {
        return asked;
    }
    let fitting = PAGE_BYTES_TARGET.saturating_mul(items) / bytes.max(1);
    u32::try_from(fitting).unwrap_or(u32::MAX).clamp(1, asked.saturating_mul(2).min(max).max(1))
}

/// Reads one listing to its end.
#[derive(Debug)]
pub struct Pages {
    limit: u32,
    continue_token: Option<String>,
    ended: bool,
}

impl Default for Pages {
    fn default() -> Self {
        Self { limit: PAGE_ITEMS_MAX, continue_token: None, ended: false }
    }
}

impl Pages {
    /// The next page; `None` behind the last one. A page that is too long is asked for with fewer objects.
    ///
    /// # Errors
    /// A [`CallError`]: the listing did not come to its end, so what it did not name may be there.
    pub async fn next(
        &mut self,
        api: &dyn ClusterApi,
        extent: &Extent,
        selector: &str,
    ) -> Result<Option<Page>, CallError> {
        while !self.ended {
            let page = match api.list(extent, selector, self.continue_token.as_deref(), self.limit).await {
                Err(CallError::Unknown { why: Unknown::TooLong, .. }) if self.limit > 1 => {
                    self.limit /= 2;
                    continue;
                }
                answer => answer?,
            };
            self.limit = page_items(self.limit, PAGE_ITEMS_MAX, page.items.len(), page.bytes);
            self.continue_token.clone_from(&page.continue_token);
            self.ended = page.continue_token.is_none();
            return Ok(Some(page));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_at_once_and_grow_slowly_towards_their_size() {
        assert_eq!(page_items(500, 500, 500, 2 * PAGE_BYTES_TARGET), 250);
        assert_eq!(page_items(10, 500, 10, 10_000), 20);
        assert_eq!(page_items(400, 500, 400, 400_000), 500);
        assert_eq!(page_items(3, 500, 1, 2 * PAGE_BYTES_TARGET), 1, "never none");
        assert_eq!(page_items(7, 500, 0, 200), 7, "an empty page says nothing of the next");
    }
}
