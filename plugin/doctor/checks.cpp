#include "plugin/doctor/checks.h"

#include <algorithm>

#include "plugin/base/text.h"
#include "plugin/config/folders.h"

namespace paceline::doctor {
namespace {

using State = Finding::State;

constexpr std::string_view kInstall = "sudo paceline install --now";
constexpr ContainerdVersion kOldest{1, 6, 0};
constexpr ContainerdVersion kKnowsDiffProxies{1, 7, 4};  // An older one ends at its start.
// Sixteen streams a host and a descriptor a blob that is read: what a systemd unit without a limit of its own gets is
// not it.
constexpr std::uint64_t kEnoughOpenFiles = 65536;

Finding ok(std::string found) { return {"", State::kOk, std::move(found), ""}; }
Finding skipped(std::string why) { return {"", State::kSkipped, std::move(why), ""}; }
Finding warning(std::string found, std::string mend) {
  return {"", State::kWarning, std::move(found), std::move(mend)};
}
Finding failed(std::string found, std::string mend) { return {"", State::kFailed, std::move(found), std::move(mend)}; }

// The proxy plugin of that type which is the daemon; nullptr: none.
const ProxyPlugin* ours(const Node& node, std::string_view type) {
  if (!node.containerd || !node.daemon_config) return nullptr;
  const std::string socket = socket_path(node.daemon_config->address);
  for (const auto& proxy : node.containerd->proxies) {
    if (proxy.type == type && proxy.address == socket) return &proxy;
  }
  return nullptr;
}

bool is_well(const Node& node, std::string_view type, const std::string& name) {
  return node.plugins && std::any_of(node.plugins->begin(), node.plugins->end(), [&](const LoadedPlugin& plugin) {
           return plugin.type == type && plugin.name == name && plugin.well;
         });
}

Finding rights(const Node& node) {
  if (node.root) return ok("root");
  return failed("not root: sockets and files of the node cannot be looked at", "sudo paceline doctor");
}

Finding containerd(const Node& node) {
  if (!node.version) return failed(node.version.error().message, "sudo apt install containerd");
  if (*node.version < kOldest || node.version->major > 2) {
    return failed("containerd " + node.version->to_string() + ": known are 1.6, 1.7 and 2.x",
                  "install one of these versions");
  }
  return ok("containerd " + node.version->to_string());
}

Finding containerd_config(const Node& node) {
  if (node.containerd) return ok(node.containerd_config_file);
  return failed("containerd does not read " + node.containerd_config_file + ": " + node.containerd.error().message,
                "containerd --config " + node.containerd_config_file + " config dump says where it is wrong");
}

Finding containerd_runs(const Node& node) {
  if (node.plugins) return ok("it answers");
  return failed("containerd does not answer: " + node.plugins.error().message,
                "sudo systemctl start containerd, or see: journalctl -u containerd");
}

Finding daemon_config(const Node& node) {
  if (node.daemon_config_absent)
    return ok("no configuration file: the defaults hold (" + node.daemon_config_file + ")");
  if (node.daemon_config) return ok(node.daemon_config_file);
  return failed(node.daemon_config.error().message, "pacelined config check " + node.daemon_config_file);
}

Finding daemon(const Node& node) {
  if (!node.daemon) {
    return failed(node.daemon.error().message, "sudo systemctl start pacelined, or see: journalctl -u pacelined");
  }
  if (node.daemon->version != node.own_version) {
    return warning("pacelined " + node.daemon->version + " runs, and " + node.own_version + " is installed",
                   "sudo systemctl restart pacelined");
  }
  return ok("pacelined " + node.daemon->version);
}

Finding open_files(const Node& node) {
  if (!node.daemon || !node.daemon_open_files) return skipped("the daemon does not run");
  const std::string found = "pacelined may open " + std::to_string(*node.daemon_open_files) + " files";
  if (*node.daemon_open_files >= kEnoughOpenFiles) return ok("enough");
  return warning(found, "LimitNOFILE=1048576 in the unit of pacelined");
}

Finding content_store(const Node& node) {
  if (!node.containerd || !node.daemon_config) return skipped("no configuration to look at");
  const auto stores = node.containerd->of_type("content");
  const auto* proxy = ours(node, "content");
  if (proxy == nullptr) {
    if (stores.empty()) return failed("Paceline is off: containerd has its own content store", std::string(kInstall));
    return failed("containerd's content store is " + stores.front().name + " at " + stores.front().address +
                      ", and pacelined serves " + node.daemon_config->address,
                  "make the two addresses one, or see docs/installation.md");
  }
  if (node.containerd->own_content_store || stores.size() != 1) {
    return failed("containerd's configuration has more than one content store",
                  R"(disabled_plugins = ["io.containerd.content.v1.content"], and one proxy plugin of type "content")");
  }
  if (!node.plugins) return skipped("containerd does not answer");
  if (is_well(node, "io.containerd.content.v1", proxy->name)) return ok(proxy->name);
  return failed("configured, but the containerd that runs does not use it", "sudo systemctl restart containerd");
}

Finding content(const Node& node) {
  if (!node.containerd || !node.daemon_config) return skipped("no configuration to look at");
  const auto wanted = node.containerd->root / "io.containerd.content.v1.content";
  const auto kept = config::content_folder(*node.daemon_config);
  if (kept == wanted) return ok(kept);
  return warning("pacelined keeps content in " + kept.native() + ": images pulled without it are not seen with it",
                 "content = \"" + wanted.native() + "\" in [store] of " + node.daemon_config_file);
}

Finding space(const Node& node) {
  if (!node.daemon_config || !node.content_space) return skipped("no folder to look at");
  const auto floor = node.daemon_config->store.free_floor;
  const auto free = node.content_space->free_bytes;
  const std::string found = format_bytes(free) + " free at " + node.content_space->folder.native();
  if (free > floor) return ok(found);
  return failed(found + ", and store.free_floor keeps " + format_bytes(floor) + " of it: nothing can be pulled",
                "remove images, or lower store.free_floor");
}

Finding mirror(const Node& node) {
  if (!node.daemon_config) return skipped("no configuration to look at");
  if (!node.daemon_config->mirror.enabled) {
    return warning("off: only prefetches are accelerated", "enabled = true in [mirror] of " + node.daemon_config_file);
  }
  if (!node.mirror_status) {
    return failed("it does not answer: " + node.mirror_status.error().message,
                  "see journalctl -u pacelined: is the port another program's?");
  }
  if (*node.mirror_status == 200) return ok(node.daemon_config->mirror.address);
  return failed(node.daemon_config->mirror.address + " answers " + std::to_string(*node.mirror_status),
                "is the port another program's, or the caller not in mirror.allowed_uids?");
}

Finding cri(const Node& node) {
  if (!node.containerd) return skipped("no configuration to look at");
  if (!node.containerd->cri) return skipped("containerd has no CRI");
  if (!node.containerd->hosts_folders.empty()) return ok(node.containerd->hosts_folders.back());
  if (node.containerd->old_mirrors) {
    return failed("registry.mirrors is set, and shuts out config_path: the kubelet's pulls are not accelerated",
                  "move the mirrors to /etc/containerd/certs.d/HOST/hosts.toml, then " + std::string(kInstall));
  }
  return failed("CRI has no config_path, so the kubelet's pulls are not accelerated", std::string(kInstall));
}

Finding hosts(const Node& node) {
  if (!node.daemon_config || node.hosts_files.empty()) return skipped("no configuration to look at");
  if (!node.daemon_config->mirror.enabled) return skipped("the mirror is off");
  const auto& fallback = node.hosts_files.front();
  if (!fallback.names_mirror) {
    return failed(fallback.file.native() + (fallback.present ? " does not name" : " is missing, and with it") +
                      " the mirror: only prefetches are accelerated",
                  std::string(kInstall));
  }
  std::string others;
  for (const auto& file : node.hosts_files) {
    if (!file.names_mirror) others += (others.empty() ? "" : ", ") + file.registry;
  }
  if (others.empty()) return ok(fallback.file);
  return warning("pulls from " + others + " pass the mirror by: they have folders of their own in " +
                     fallback.file.parent_path().parent_path().native(),
                 "the block of _default/hosts.toml into theirs, first");
}

Finding services(const Node& node) {
  if (!node.services) return skipped("systemd does not run here");
  if (ours(node, "content") == nullptr) return skipped("Paceline is off");
  if (!node.services->containerd_after) {
    return failed("containerd does not wait for pacelined: it may start without a content store",
                  std::string(kInstall));
  }
  if (!node.services->daemon_enabled) {
    return warning("pacelined does not start at boot by itself; containerd starts it",
                   "sudo systemctl enable pacelined");
  }
  return ok("pacelined starts at boot, before containerd");
}

Finding snapshotter(const Node& node) {
  if (!node.daemon_config) return skipped("no configuration to look at");
  const auto* proxy = ours(node, "snapshot");
  if (!node.daemon_config->snapshotter.enabled) {
    if (proxy == nullptr) return skipped("not switched on");
    return failed("containerd has it as " + proxy->name + ", and pacelined does not serve it",
                  "enabled = true in [snapshotter] of " + node.daemon_config_file);
  }
  if (!node.overlay) return failed("this kernel does not know overlayfs", "sudo modprobe overlay");
  if (node.snapshots_on_overlay) {
    return failed("its folder lies on an overlayfs, which cannot be stacked",
                  "snapshotter.root on a file system of its own, as ext4 or xfs");
  }
  if (proxy == nullptr) {
    return warning("pacelined serves it, and containerd does not know of it",
                   "paceline-snapshotter.toml in /etc/containerd/conf.d: see docs/snapshotter.md");
  }
  if (!node.plugins) return skipped("containerd does not answer");
  if (is_well(node, "io.containerd.snapshotter.v1", proxy->name)) return ok(proxy->name);
  return failed("configured, but the containerd that runs does not have it", "sudo systemctl restart containerd");
}

Finding differ(const Node& node) {
  const auto* proxy = ours(node, "diff");
  if (proxy == nullptr) return skipped("not switched on");
  if (node.version && *node.version < kKnowsDiffProxies) {
    return failed("containerd " + node.version->to_string() + " does not know proxy plugins of the type diff",
                  "remove paceline-differ.toml from /etc/containerd/conf.d");
  }
  if (!node.daemon_config->snapshotter.enabled) {
    return failed("containerd asks for it, and pacelined does not serve it",
                  "enabled = true in [snapshotter] of " + node.daemon_config_file);
  }
  return ok(proxy->name);
}

Finding metrics(const Node& node) {
  if (!node.daemon_config || !node.daemon_config->metrics.enabled) return skipped("not switched on");
  const std::string& address = node.daemon_config->metrics.address;
  if (node.metrics_status && *node.metrics_status == 200) return ok(address);
  return warning(node.metrics_status ? address + " answers " + std::to_string(*node.metrics_status)
                                     : "they do not answer: " + node.metrics_status.error().message,
                 "see journalctl -u pacelined: is the port another program's?");
}

struct Check {
  std::string_view name;
  Finding (*examine)(const Node&);
};

constexpr Check kChecks[] = {
    {"rights", rights},
    {"containerd", containerd},
    {"containerd-config", containerd_config},
    {"containerd-runs", containerd_runs},
    {"config", daemon_config},
    {"daemon", daemon},
    {"open-files", open_files},
    {"content-store", content_store},
    {"content", content},
    {"space", space},
    {"mirror", mirror},
    {"cri", cri},
    {"hosts", hosts},
    {"services", services},
    {"snapshotter", snapshotter},
    {"differ", differ},
    {"metrics", metrics},
};

}  // namespace

std::vector<Finding> examine(const Node& node) {
  std::vector<Finding> out;
  for (const auto& check : kChecks) {
    Finding finding = check.examine(node);
    finding.check = check.name;
    out.push_back(std::move(finding));
  }
  return out;
}

std::string_view word(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarning:
      return "warning";
    case State::kFailed:
      return "failed";
    case State::kSkipped:
      return "skipped";
  }
  return "";
}

}  // namespace paceline::doctor
