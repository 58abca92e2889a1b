//! Readers of a body that outgrew the store whom others wait for: who takes nothing, or too little, is left behind.

use std::thread;
use std::time::Duration;

use crate::harness::origin::Gate;
use crate::harness::{Setup, pause};
use crate::outgrown::{aboard, await_end, gated, in_memory, metric, narrow, read_on};
use crate::site::Site;

before_an_origin!(
    a_client_that_others_wait_for_too_long_is_left_behind,
    in_memory(),
    |origin, server| {
        let all = 60 << 20;
        let gate = Gate::new();
        origin.says("/a", gated(all, &gate));
        let mut dribbling = aboard(server);
        let mut other = aboard(server);
        gate.open();
        thread::scope(|scope| {
            let reading = scope.spawn(move || read_on(&mut other, all, 1 << 20, Duration::ZERO));
            // Enough that its worker sees it take something, never enough to make room for more.
            while !reading.is_finished() {
                dribbling.read_some(100_000);
                pause(Duration::from_millis(300));
            }
        });
        assert_eq!(metric(server, "hotplate_outgrown_readers_left_total"), 1);
        await_end(server, "complete", 1);
        while !dribbling.read_some(1 << 20).is_empty() {}
        assert!(dribbling.was_reset());
    }
);

before_an_origin!(
    a_client_that_makes_a_little_room_each_time_is_left_behind_too,
    in_memory().fill("pass_memory = \"8MiB\""),
    |origin, server| {
        let all = 60 << 20;
        let gate = Gate::new();
        origin.says("/a", gated(all, &gate));
        let mut dribbling = aboard(server);
        narrow(&dribbling);
        let mut other = aboard(server);
        gate.open();
        thread::scope(|scope| {
            let reading = scope.spawn(move || read_on(&mut other, all, 1 << 20, Duration::ZERO));
            // In less than the timeout many pieces go on, but never a whole window of them.
            while !reading.is_finished() {
                dribbling.read_some(10_000);
                pause(Duration::from_millis(5));
            }
        });
        assert_eq!(metric(server, "hotplate_outgrown_readers_left_total"), 1);
        await_end(server, "complete", 1);
        while !dribbling.read_some(1 << 20).is_empty() {}
        assert!(dribbling.was_reset());
    }
);

before_an_origin!(
    a_client_is_left_behind_by_the_settings_of_a_reload,
    Site::plain().with(|mut setup: Setup| {
        setup.config.memory.push("size = \"8MiB\"".to_owned());
        setup.limit("send_timeout = \"10m\"")
    }),
    |origin, server| {
        let all = 60 << 20;
        let gate = Gate::new();
        origin.says("/a", gated(all, &gate));
        let dribbling = aboard(server);
        let mut other = aboard(server);
        gate.open();
        thread::scope(|scope| {
            let reading = scope.spawn(move || read_on(&mut other, all, 1 << 20, Duration::ZERO));
            // Lets go of its connection where an assertion fails, so that the other one goes on.
            let mut dribbling = dribbling;
            let mut dribble = |times: u32| {
                for _ in 0..times {
                    if !reading.is_finished() {
                        dribbling.read_some(100_000);
                        pause(Duration::from_millis(300));
                    }
                }
                reading.is_finished()
            };
            // By the settings of the start it may do so for long.
            assert!(!dribble(10));
            let limits = &mut server.config.limits;
            limits.clear();
            limits.push("send_timeout = \"2s\"".to_owned());
            server.reload();
            assert!(dribble(60), "still waited for");
            while !dribbling.read_some(1 << 20).is_empty() {}
            assert!(dribbling.was_reset());
        });
        assert_eq!(metric(server, "hotplate_outgrown_readers_left_total"), 1);
        await_end(server, "complete", 1);
    }
);
