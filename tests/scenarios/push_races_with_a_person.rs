//! A person rewinds the branch at the moment of the push: the lease refuses, and what they took away does not come back.

use crate::support::{World, policy};

#[test]
fn a_rewound_branch_is_not_brought_back() {
    let mut world = World::new(&["checkout"], &[policy("checkout", "merge", "")]);
    world.break_checkout();
    // The hook rewinds main during the first push, before the server compares: as a person who pushes a moment earlier.
    let hook = world.root.join("remote.git/hooks/pre-receive");
    let script = "#!/bin/sh\nunset GIT_QUARANTINE_PATH\ntest -e rewound && exit 0\ntouch rewound\ngit update-ref refs/heads/main main~1\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.seconds(8);
    assert_eq!(world.subjects(), ["Add the services"], "the rewound commit stays away");
    assert_eq!(world.reverts(), 0);
}
