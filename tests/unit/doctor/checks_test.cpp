#include "plugin/doctor/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace paceline::doctor {
namespace {

using State = Finding::State;
using testing::HasSubstr;

/// A node on which all is well: what a test breaks of it is all that is wrong.
Node well() {
  Node node;
  node.root = true;
  node.own_version = "0.1.0";
  node.containerd_config_file = "/etc/containerd/config.toml";
  node.version = ContainerdVersion{1, 7, 24};
  ContainerdConfig containerd;
  containerd.root = "/var/lib/containerd";
  containerd.socket = "/run/containerd/containerd.sock";
  containerd.proxies = {{"paceline-content", "content", "/run/paceline/paceline.sock"}};
  containerd.own_content_store = false;
  containerd.cri = true;
  containerd.hosts_folders = {"/etc/containerd/certs.d"};
  node.containerd = containerd;
  node.plugins = std::vector<LoadedPlugin>{{"io.containerd.content.v1", "paceline-content", true}};
  config::Config config;
  config.store.content = "/var/lib/containerd/io.containerd.content.v1.content";
  node.daemon_config = config;
  node.daemon_config_file = "/etc/paceline/config.toml";
  node.daemon = Daemon{"0.1.0", 1};
  node.daemon_open_files = 1U << 20U;
  node.mirror_status = 200;
  node.metrics_status = 200;
  node.hosts_files = {{"_default", "/etc/containerd/certs.d/_default/hosts.toml", true, true}};
  node.content_space = Space{"/var/lib/containerd", std::uint64_t{20} << 30U};
  node.services = Services{true, true};
  node.overlay = true;
  return node;
}

Finding find(const Node& node, std::string_view check) {
  const auto all = examine(node);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Finding& f) { return f.check == check; });
  EXPECT_NE(found, all.end()) << check;
  return found == all.end() ? Finding{} : *found;
}

void expect(const Node& node, std::string_view check, State state, const std::string& found, const std::string& mend) {
  const auto finding = find(node, check);
  EXPECT_EQ(finding.state, state) << finding.found;
  EXPECT_THAT(finding.found, HasSubstr(found));
  EXPECT_THAT(finding.mend, HasSubstr(mend));
}

TEST(Checks, NothingIsSaidOfANodeThatIsWell) {
  for (const auto& finding : examine(well())) {
    EXPECT_TRUE(finding.state == State::kOk || finding.state == State::kSkipped) << finding.check << finding.found;
    EXPECT_EQ(finding.mend, "");
  }
}

TEST(Checks, WhatIsWrongHasAMend) {
  Node empty;  // Nothing could be found out.
  for (const auto& finding : examine(empty)) {
    EXPECT_NE(finding.found, "") << finding.check;
    const bool to_be_mended = finding.state == State::kFailed;
    EXPECT_TRUE(!to_be_mended || !finding.mend.empty()) << finding.check;
  }
}

TEST(Checks, ContainerdIsMissingOldOrDown) {
  Node node = well();
  node.version = fail(Code::kNotFound, "there is no containerd on the PATH");
  expect(node, "containerd", State::kFailed, "no containerd", "apt install");
  node.version = ContainerdVersion{1, 5, 9};
  expect(node, "containerd", State::kFailed, "1.5.9", "install");
  node.plugins = fail(Code::kNotFound, "no socket");
  expect(node, "containerd-runs", State::kFailed, "no socket", "systemctl start containerd");
  expect(node, "content-store", State::kSkipped, "", "");
}

TEST(Checks, TheContentStoreIsOffAnotherOneOrNotYetInUse) {
  Node node = well();
  node.containerd->proxies.clear();
  node.containerd->own_content_store = true;
  expect(node, "content-store", State::kFailed, "off", "paceline install --now");
  expect(node, "services", State::kSkipped, "off", "");
  node = well();
  node.containerd->proxies[0].address = "/run/other.sock";
  expect(node, "content-store", State::kFailed, "/run/other.sock", "address");
  node = well();
  node.containerd->own_content_store = true;
  expect(node, "content-store", State::kFailed, "more than one", "disabled_plugins");
  node = well();
  node.plugins->at(0).name = "content";
  expect(node, "content-store", State::kFailed, "not use it", "restart containerd");
}

TEST(Checks, TheDaemonIsDownOrOlderThanThePackage) {
  Node node = well();
  node.daemon = Daemon{"0.0.9", 1};
  expect(node, "daemon", State::kWarning, "0.0.9", "restart pacelined");
  node.daemon = fail(Code::kUnavailable, "there is no such socket");
  expect(node, "daemon", State::kFailed, "no such socket", "systemctl start pacelined");
  node = well();
  node.daemon_open_files = 1024;
  expect(node, "open-files", State::kWarning, "1024", "LimitNOFILE");
}

TEST(Checks, ANodeWithoutAConfigurationFileIsWellAndSaysSo) {
  Node node = well();
  node.daemon_config_absent = true;
  expect(node, "config", State::kOk, "no configuration file: the defaults hold (/etc/paceline/config.toml)", "");
}

TEST(Checks, ImagesWouldBeHiddenOrHaveNoRoom) {
  Node node = well();
  node.daemon_config->store.content = "/srv/content";
  expect(node, "content", State::kWarning, "/srv/content", "io.containerd.content.v1.content");
  node.content_space->free_bytes = 1000;
  expect(node, "space", State::kFailed, "1.0 KB", "free_floor");
}

TEST(Checks, PullsPassTheMirrorBy) {
  Node node = well();
  node.mirror_status = fail(Code::kUnavailable, "refused");
  expect(node, "mirror", State::kFailed, "refused", "port");
  node = well();
  node.containerd->hosts_folders.clear();
  expect(node, "cri", State::kFailed, "config_path", "paceline install");
  node.containerd->old_mirrors = true;
  expect(node, "cri", State::kFailed, "registry.mirrors", "hosts.toml");
  node = well();
  node.hosts_files[0].names_mirror = false;
  expect(node, "hosts", State::kFailed, "does not name", "paceline install");
  node = well();
  node.hosts_files.push_back({"quay.io", "/etc/containerd/certs.d/quay.io/hosts.toml", true, false});
  expect(node, "hosts", State::kWarning, "quay.io", "block");
}

TEST(Checks, TheSnapshotterAndTheDiffer) {
  Node node = well();
  node.daemon_config->snapshotter.enabled = true;
  expect(node, "snapshotter", State::kWarning, "does not know", "paceline-snapshotter.toml");
  node.snapshots_on_overlay = true;
  expect(node, "snapshotter", State::kFailed, "overlayfs", "snapshotter.root");
  node.overlay = false;
  expect(node, "snapshotter", State::kFailed, "kernel", "modprobe");
  node = well();
  node.containerd->proxies.push_back({"paceline-diff", "diff", "/run/paceline/paceline.sock"});
  expect(node, "differ", State::kFailed, "does not serve", "[snapshotter]");
  node.version = ContainerdVersion{1, 6, 20};
  expect(node, "differ", State::kFailed, "1.6.20", "remove");
}

TEST(Checks, ContainerdMayStartWithoutItsStore) {
  Node node = well();
  node.services->containerd_after = false;
  expect(node, "services", State::kFailed, "does not wait", "paceline install");
  node.services = Services{false, true};
  expect(node, "services", State::kWarning, "boot", "enable");
  node.services.reset();
  expect(node, "services", State::kSkipped, "systemd", "");
}

}  // namespace
}  // namespace paceline::doctor
