//! `revertd demo`: the whole story on this machine, with nothing but the binary and git.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::failure::Failure;
use super::{Exit, store};
use crate::agent::{Options, SystemClock, run as run_agent};
use crate::config;
use crate::demo::setting::Setting;
use crate::demo::story::{AgentView, Approver, Ending, Place, Stage, StoryName, Teller, play};
use crate::demo::world::{World, clock};
use crate::demo::{catalogue, picture, sync_tool};

/// The demo ends by itself before this, whatever happens; only a person in front of a browser has more time.
const LIMIT: Duration = Duration::from_secs(55);

/// How long a pass may take to end after a signal.
const GRACE: Duration = Duration::from_secs(3);

/// Watch a bad commit break a service, be reverted in Git, and the service recover
///
/// Makes a repository of manifests, runs a small sync tool and services whose health follows the manifests, and lets the real agent watch
/// them. Ends by itself in under a minute; with 0 only if every story came as it had to.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Play one story only
    #[arg(long, value_enum, value_name = "NAME")]
    story: Option<Story>,
    /// Wait for a person who approves the proposal in a browser, at most 15 minutes (with `--story approve`)
    #[arg(long)]
    interactive: bool,
    /// Keep the repositories and journals, and say where they are
    #[arg(long)]
    keep: bool,
}

/// A story on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Story {
    /// A bad commit is force-merged away
    Merge,
    /// A bad commit is proposed, approved and merged
    Approve,
    /// A person reverts first
    Human,
    /// Everything fails at once
    Outage,
}

/// One world with the agent that watches it.
struct Scene {
    world: Arc<World>,
    config: PathBuf,
    stop: oneshot::Sender<()>,
    agent: JoinHandle<Result<()>>,
}

/// Runs the command.
pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<Exit> {
    let stories: Vec<StoryName> = match args.story {
        None => StoryName::ALL.to_vec(),
        Some(Story::Merge) => vec![StoryName::Merge],
        Some(Story::Approve) => vec![StoryName::Approve],
        Some(Story::Human) => vec![StoryName::Human],
        Some(Story::Outage) => vec![StoryName::Outage],
    };
    let approver = if args.interactive { Approver::Browser } else { Approver::Scripted };
    if args.interactive && args.story != Some(Story::Approve) {
        return Err(Failure::usage("only the story `approve` waits for a person", "add --story approve").into());
    }
    let directory = tempfile::Builder::new().prefix("revertd-demo-").tempdir().context("cannot make a directory for the demo")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let told = runtime.block_on(async {
        tokio::select! {
            told = tell(&stories, approver, directory.path()) => told.map(Some),
            () = signalled() => Ok(None),
        }
    });
    // A pass may be at work in the directory.
    runtime.shutdown_timeout(GRACE);
    let Some((endings, configs)) = told? else {
        let what = if args.keep { directory.keep().display().to_string() } else { "nothing".to_owned() };
        writeln!(out, "\nStopped before the end; {what} is left behind.")?;
        return Ok(Exit::Error);
    };
    let told = endings.iter().filter(|ending| ending.is_as_told()).count();
    writeln!(out, "\n{told} of {} stories came as they had to.", endings.len())?;
    if args.keep {
        let kept = directory.keep();
        writeln!(out, "\nEverything is kept in {}:\n{}", kept.display(), picture::commands(&where_to_look(&endings, &configs)))?;
    } else {
        writeln!(out, "With --keep the repositories and journals stay, to look at with `git log` and `revertd explain`.")?;
    }
    Ok(if told == endings.len() { Exit::Done } else { Exit::Error })
}

/// Waits for SIGINT or SIGTERM. Where they cannot be listened to they end the process as usual.
async fn signalled() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Plays the stories at once, each place with an agent of its own.
async fn tell(stories: &[StoryName], approver: Approver, directory: &Path) -> Result<(Vec<Ending>, BTreeMap<Place, PathBuf>)> {
    let deadline = Instant::now() + LIMIT;
    let writer: Arc<Mutex<dyn Write + Send>> = Arc::new(Mutex::new(std::io::stdout()));
    let mut scenes = BTreeMap::new();
    for place in stories.iter().map(|story| story.place()) {
        if let std::collections::btree_map::Entry::Vacant(entry) = scenes.entry(place) {
            entry.insert(set(place, &directory.join(place.as_str())).await?);
        }
    }
    let mut playing = Vec::new();
    for story in stories {
        let Some(scene) = scenes.get(&story.place()) else { continue };
        let stage = Stage {
            world: scene.world.clone(),
            agent: view(&scene.config),
            teller: Teller::new(*story, writer.clone()),
            baseline_probes: story.baseline_probes(),
            approver,
            deadline,
        };
        let story = *story;
        playing.push(tokio::spawn(async move { play(story, &stage).await }));
    }
    let mut endings = Vec::new();
    for story in playing {
        endings.push(story.await.context("a story ended unexpectedly")?);
    }
    let configs = scenes.iter().map(|(place, scene)| (*place, scene.config.clone())).collect();
    for (_, scene) in scenes {
        // The agent may have ended by itself; then its result says why.
        let _ = scene.stop.send(());
        scene.agent.await.context("an agent ended unexpectedly")??;
        if let Some(world) = Arc::into_inner(scene.world) {
            world.shutdown().await;
        }
    }
    Ok((endings, configs))
}

/// Starts a world and the real agent that watches it.
async fn set(place: Place, directory: &Path) -> Result<Scene> {
    let blueprints = catalogue::SHOP;
    let world = World::start(&directory.join("manifests.git"), &blueprints, sync_tool::Pace::default(), clock())
        .await
        .context("cannot start the demo's world")?;
    let config = Setting::new(&world, place.policies()).write(directory).context("cannot write the demo's agent file")?;
    let loaded = config::load_agent(&config)?;
    let (stop, stopped) = oneshot::channel::<()>();
    // Nobody reloads the demo; the sender lives as long as the agent.
    let (reload_sender, reload) = mpsc::unbounded_channel();
    let options = Options { config_file: None, reload, clock: Arc::new(SystemClock) };
    let agent = tokio::spawn(async move {
        let _reload_sender = reload_sender;
        run_agent(loaded, options, async {
            // A sender that is gone means the same.
            let _ = stopped.await;
        })
        .await
    });
    Ok(Scene { world: Arc::new(world), config, stop, agent })
}

fn view(config: &Path) -> AgentView {
    let read = config.to_owned();
    AgentView {
        incidents: Arc::new(move || {
            let loaded = store::load(&read)?;
            if !loaded.agent.journal.exists() {
                return Ok(Vec::new());
            }
            Ok(store::fold(&store::facts(&loaded)?).incidents.into_values().collect())
        }),
    }
}

fn where_to_look(endings: &[Ending], configs: &BTreeMap<Place, PathBuf>) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for (place, config) in configs {
        let directory = config.parent().unwrap_or(config);
        commands.push((
            format!("the history of the {}", place.as_str()),
            format!("git --git-dir {} log", directory.join("manifests.git").display()),
        ));
    }
    for ending in endings {
        if let (Some(incident), Some(config)) = (&ending.incident, configs.get(&ending.story.place())) {
            commands.push((
                format!("the story `{}`", ending.story.as_str()),
                format!("revertd --config {} explain {incident}", config.display()),
            ));
        }
    }
    commands
}
