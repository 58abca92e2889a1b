//! The media library: a URL goes in, the path of a local file with its verbatim, complete content comes out.
//!
//! ```text
//!   get ─▶ place: site, allowed host, or refused ─▶ look in memory ─┬─ fresh ─────────────────────┐
//!                                                                  └─▶ mailbox ─▶ keeper ─▶ whole ┴─▶ lease ─▶ path
//! ```
//!
//! What is stored is the cache's own: the library is one more client of it, beside those that come by HTTP, and goes through the same
//! keeper. What it adds are leases: a path stays readable for a while whatever happens to what is stored meanwhile.
//!
//! Threads: calls come from the admin thread, answers from the fill threads, where prefetches are worked on too; one thread of its own,
//! "library", ends leases and orders the prefetches of the config.

mod again;
mod allowed;
mod bring;
mod counts;
mod deposit;
mod failure;
mod folder;
mod hops;
mod lease_bytes;
mod lease_table;
mod leases;
mod lending;
mod mailbox;
mod place;
mod prefetch;
mod removal;
mod seat;
pub mod settings;
mod shelf;
mod tend;
mod trails;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::again::Attempts;
pub use self::again::Chance;
pub use self::allowed::{HostPattern, public_only};
use self::bring::{Brought, How};
pub use self::counts::{GetTimes, LIBRARY_FAMILIES, LibraryCount, LibraryCounts};
pub use self::deposit::SentTo;
pub use self::failure::{Code, Failure, Party};
use self::folder::{lease_name, lease_of};
use self::leases::{Bounds, Now, Wanted, stem_of};
pub use self::leases::{LeaseLine, Leased, Released};
pub use self::mailbox::{LIBRARY, Mailbox};
use self::place::{Place, Plan};
pub use self::prefetch::{JobLine, JobState, PrefetchOrder};
use self::prefetch::{Prefetch, Schedule};
use self::seat::Seat;
pub use self::settings::{LEASE_MAX, LibrarySettings, PrefetchRule};
use self::shelf::{Shelf, shelf};
pub use self::tend::LibraryThread;
use self::trails::{Fillings, Trails};
use super::disk::DiskTier;
use super::profile::Profiles;
use crate::http::fields::FieldLines as _;
use crate::http::mime;
use crate::index::responses::Responses;
use crate::index::sites::SiteTable;
use crate::policy::rule::Rule;
use crate::store::disk::Extension;
use crate::sys::clock;
use crate::units::UnixSeconds;

/// Why the library can't begin.
#[derive(Debug)]
pub enum LibraryError {
    /// Its folder can't be used.
    Folder(PathBuf, std::io::Error),
    /// Its thread can't be made.
    Thread(std::io::Error),
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path, error) => write!(
                f,
                "cannot use {} for the library's files: {error}; must this process be a member of library.group?",
                path.display()
            ),
            Self::Thread(error) => write!(f, "cannot start the library's thread: {error}"),
        }
    }
}

impl std::error::Error for LibraryError {}

/// What the library works with.
pub struct LibraryStart {
    /// `[library]`.
    pub settings: LibrarySettings,
    /// The `[[prefetch]]` tables.
    pub prefetches: Vec<PrefetchRule>,
    /// The sites.
    pub sites: Arc<SiteTable>,
    /// What is stored in memory.
    pub responses: Arc<Responses>,
    /// The disk store, where there is one; without it nothing has a path.
    pub disk: Option<Arc<DiskTier>>,
    /// Largest body that goes to the disk store.
    pub disk_max: u64,
    /// The profiles in use.
    pub profiles: Arc<ArcSwap<Profiles>>,
    /// Where orders go and answers come.
    pub mailbox: Arc<Mailbox>,
    /// Spreads attempts, so that what failed together does not come back together.
    pub chance: Chance,
}

/// The library; shared by all who ask it.
#[derive(Debug)]
pub struct Library {
    plan: ArcSwap<Plan>,
    profiles: Arc<ArcSwap<Profiles>>,
    responses: Arc<Responses>,
    disk: Option<Shelf>,
    disk_max: u64,
    mailbox: Arc<Mailbox>,
    trails: Trails,
    fillings: Fillings,
    prefetch: Prefetch,
    schedule: Schedule,
    chance: Chance,
    counts: Arc<LibraryCounts>,
    times: GetTimes,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetOrder {
    /// The URL.
    pub url: String,
    /// Whether the origin is asked although what is stored is fresh; what is stored stays until the answer is there.
    pub refresh: bool,
    /// The profile that the origin is asked with; none: the one for its host.
    pub profile: Option<String>,
    /// How long the path stays; none: as the config says.
    pub lease: Option<Duration>,
    /// The extension that the file gets; none: by URL, type and config.
    pub extension: Option<String>,
    /// The longest wait, at most the config's.
    pub timeout: Option<Duration>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The URL that it came from, after redirects.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its Content-Type, where it has one.
    pub content_type: Option<String>,
    /// Its entity-tag, where it has one.
    pub etag: Option<String>,
    /// Its Last-Modified.
    pub last_modified: Option<UnixSeconds>,
    /// For how many seconds it is still fresh; negative since it is stale.
    pub fresh_for: i64,
    /// The Cache-Status that a client would have got.
    pub cache_status: String,
    /// The file.
    pub leased: Leased,
    /// When the lease ends.
    pub expires_at: UnixSeconds,
}

impl Library {
    /// Starts the library and its thread.
    ///
    /// # Errors
    /// When its folder can't be made, or its thread.
    pub fn start(start: LibraryStart) -> Result<(Arc<Self>, LibraryThread), LibraryError> {
        let counts = Arc::<LibraryCounts>::default();
        let disk = match start.disk {
            Some(tier) => {
                let group = start.settings.group;
                let opened = shelf(&tier, group, &counts);
                let path = || tier.disk().folder().join("library");
                Some(opened.map_err(|error| LibraryError::Folder(path(), error))?)
            }
            None => None,
        };
        let library = Arc::new(Self {
            plan: ArcSwap::from_pointee(Plan::new(
                start.settings,
                start.sites,
                start.profiles.load_full(),
            )),
            profiles: start.profiles,
            responses: start.responses,
            disk,
            disk_max: start.disk_max,
            mailbox: start.mailbox,
            trails: Trails::default(),
            fillings: Fillings::default(),
            prefetch: Prefetch::new(Arc::clone(&counts)),
            schedule: Schedule::new(start.prefetches),
            chance: start.chance,
            counts,
            times: GetTimes::default(),
        });
        let thread = LibraryThread::start(&library).map_err(LibraryError::Thread)?;
        Ok((library, thread))
    }

    /// Goes by other settings and sites from now on. The group stays.
    pub fn set_plan(
        &self,
        settings: LibrarySettings,
        prefetches: Vec<PrefetchRule>,
        sites: Arc<SiteTable>,
    ) {
        let profiles = self.profiles.load_full();
        self.plan
            .store(Arc::new(Plan::new(settings, sites, profiles)));
        // More of them may run, by now.
        self.prefetch.look();
        self.schedule.set(prefetches);
    }

    /// What it has done.
    #[must_use]
    pub fn counts(&self) -> &LibraryCounts {
        &self.counts
    }

    /// How long gets took.
    #[must_use]
    pub fn times(&self) -> &GetTimes {
        &self.times
    }

    /// The path of what a URL stands for, fetched where it is not stored or not fresh.
    ///
    /// # Errors
    /// Whatever kept it from being there.
    pub async fn get(&self, order: &GetOrder) -> Result<Got, Failure> {
        let began = clock::mono();
        let got = self.get_in_time(order).await;
        let times = match &got {
            Ok((_, true)) => {
                self.counts.bump(LibraryCount::GetHit);
                &self.times.hit
            }
            Ok((_, false)) => {
                self.counts.bump(LibraryCount::GetFetched);
                &self.times.fetched
            }
            Err(failure) => {
                self.counts.failed(failure.code);
                &self.times.failed
            }
        };
        times.record(clock::mono().since(began));
        got.map(|(got, _)| got)
    }

    /// The path of what a URL stands for, where it is stored, whole and fresh: nothing is fetched. With `refresh` nothing is fresh enough,
    /// and what is stored is marked to be validated before it is used again.
    ///
    /// # Errors
    /// `Absent`, `Stale` or `BeingFilled` where it isn't there, or what kept it from having a path.
    pub async fn tryget(&self, order: &GetOrder) -> Result<Got, Failure> {
        let found = async {
            let shelf = self.shelf()?;
            if order.refresh {
                return Err(self.mark_stale(order, shelf).await?);
            }
            let brought = self.find(&order.url, order.profile.as_deref()).await?;
            self.leased(shelf, order, brought).await
        };
        let found = found.await;
        self.counts.bump(match found {
            Ok(_) => LibraryCount::TryHit,
            Err(_) => LibraryCount::TryMiss,
        });
        found
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// `NoLease`.
    pub fn renew(&self, id: &str, lease: Option<Duration>) -> Result<Leased, Failure> {
        let lease = lease.unwrap_or(self.plan.load().settings.lease);
        let renewed = lease_of(id).and_then(|id| {
            let leases = &self.disk.as_ref()?.leases;
            leases.renew(id, lease.min(LEASE_MAX), now())
        });
        renewed.ok_or_else(|| no_lease(id))
    }

    /// Gives a lease back; the file goes with the last of its holders, one from before the last start with its time. What is left.
    ///
    /// # Errors
    /// `NoLease`.
    pub fn release(&self, id: &str) -> Result<Released, Failure> {
        let left = lease_of(id).and_then(|id| self.disk.as_ref()?.leases.release(id));
        left.ok_or_else(|| no_lease(id))
    }

    /// All leases, the one that ends first at the front.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseLine> {
        let shelf = self.disk.as_ref();
        shelf.map_or_else(Vec::new, |shelf| shelf.leases.list(now()))
    }

    /// Whether there is a profile of this name.
    #[must_use]
    pub fn has_profile(&self, name: &str) -> bool {
        self.plan.load().profiles.named(name).is_some()
    }

    /// Whether the library fetches a URL now.
    #[must_use]
    pub fn is_being_fetched(&self, order: &GetOrder) -> bool {
        let place = Place::of(&order.url, order.profile.as_deref(), &self.plan());
        place.is_ok_and(|place| self.fillings.has(&place.key))
    }

    async fn get_in_time(&self, order: &GetOrder) -> Result<(Got, bool), Failure> {
        let plan = self.plan();
        let settings = &plan.settings;
        let seat = Seat::among(settings.gets);
        let longest = settings.get_timeout;
        let longest = order
            .timeout
            .map_or(longest, |timeout| timeout.min(longest));
        let how = if order.refresh { How::Anew } else { How::Any };
        let got = async {
            let shelf = self.shelf()?;
            let asked = (order.url.as_str(), order.profile.as_deref());
            let attempts = Attempts::new(settings.attempts, longest, self.chance);
            let bringing = self.bring(asked, how, |_| {}, (&seat, attempts));
            let brought = bringing.await?;
            let is_hit = brought.is_hit;
            self.leased(shelf, order, brought)
                .await
                .map(|got| (got, is_hit))
        };
        let got = tokio::time::timeout(longest, got).await;
        got.unwrap_or_else(|_| Err(timed_out(&order.url, longest)))
    }

    /// Leases a file with what was brought.
    async fn leased(
        &self,
        shelf: &Shelf,
        order: &GetOrder,
        brought: Brought,
    ) -> Result<Got, Failure> {
        let plan = self.plan();
        let extension = extension(order, &brought, &plan.settings)?;
        let lease = order.lease.unwrap_or(plan.settings.lease).min(LEASE_MAX);
        let response = Arc::clone(&brought.response);
        let stem = stem_of(brought.place.path());
        let url = brought.place.url.as_str();
        let wanted = Wanted {
            object: &response.object,
            stem: &stem,
            extension: &extension,
            url,
            lease,
        };
        let leased = match shelf.leases.reuse(&wanted, now()) {
            Some(leased) => leased,
            None => {
                let bounds = Bounds {
                    leases: plan.settings.leases,
                    bytes: plan.settings.size.0,
                };
                shelf.make(&wanted, bounds).await?
            }
        };
        Ok(got(brought, leased))
    }

    fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    fn shelf(&self) -> Result<&Shelf, Failure> {
        self.disk.as_ref().ok_or_else(|| {
            Failure::new(
                Code::NoDisk,
                "there is no disk store, so that nothing has a path: set disk.path",
            )
        })
    }

    /// The largest body that can be stored on disk.
    fn size_max(&self) -> u64 {
        self.disk_max
    }
}

/// Whether the library may fetch `url` by these settings, beside these sites.
///
/// # Errors
/// `InvalidUrl`, `HostNotAllowed`.
pub fn check_url(
    url: &str,
    settings: &LibrarySettings,
    sites: &Arc<SiteTable>,
) -> Result<(), Failure> {
    let plan = Plan::new(settings.clone(), Arc::clone(sites), Arc::default());
    Place::of(url, None, &plan).map(drop)
}

/// The name of a lease, as it is shown.
#[must_use]
pub fn lease_id(id: u64) -> String {
    lease_name(id)
}

/// The extension of a file: what the caller wants; else that of the URL, as it was redirected to or as it was asked, where that is one of
/// a known format; else that of its Content-Type; else the config's.
fn extension(
    order: &GetOrder,
    brought: &Brought,
    settings: &LibrarySettings,
) -> Result<String, Failure> {
    if let Some(wanted) = &order.extension {
        let lower = wanted.trim_start_matches('.').to_ascii_lowercase();
        let extension = Extension::new(&lower);
        if extension.as_str().is_empty() {
            return Err(Failure::new(
                Code::InvalidOption,
                format!("{wanted:?} is no extension: 1 to 8 letters and digits, such as \"wav\""),
            ));
        }
        return Ok(lower);
    }
    let content_type = brought.response.fields.value("content-type");
    let end = order.url.find(['?', '#']).unwrap_or(order.url.len());
    let asked = order.url.as_bytes().get(..end).unwrap_or_default();
    let of_urls = [brought.place.path(), asked].map(|path| mime::extension_of(path, None));
    let of_type = mime::extension_of(b"", content_type);
    let mut all = of_urls.into_iter().chain([of_type]);
    let found = all.find(|extension| !extension.is_empty());
    Ok(found.unwrap_or_else(|| settings.extension.clone()))
}

fn got(brought: Brought, leased: Leased) -> Got {
    let response = &brought.response;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let now = now();
    let mut cache_status = Vec::new();
    brought.status.append_value(&mut cache_status);
    let etag = Some(response.etag()).filter(|etag| !etag.is_empty());
    Got {
        size: response.object.size(),
        content_type: response.fields.value("content-type").map(text),
        etag: etag.map(text),
        last_modified: response.last_modified(),
        fresh_for: response.stored.ttl(now.wall),
        cache_status: text(&cache_status),
        expires_at: UnixSeconds(now.wall.0.saturating_add(leased.left.as_secs())),
        leased,
        url: brought.place.url,
    }
}

fn timed_out(url: &str, longest: Duration) -> Failure {
    let seconds = longest.as_secs_f32();
    Failure::new(
        Code::OriginTimeout,
        format!(
            "{url} was not there, whole, within {seconds} s (library.get_timeout, or the timeout of the request)"
        ),
    )
    .by_rule(Rule::OriginTimeout)
}

fn no_lease(id: &str) -> Failure {
    Failure::new(
        Code::NoLease,
        format!("there is no lease {id:?}, or it is over; get the URL again"),
    )
}

fn now() -> Now {
    Now {
        mono: clock::mono(),
        wall: clock::wall().0,
    }
}
