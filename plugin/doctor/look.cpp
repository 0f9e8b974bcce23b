#include "plugin/doctor/look.h"

#include <httplib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <sstream>

#include "plugin/base/files.h"
#include "plugin/base/subprocess.h"
#include "plugin/base/text.h"
#include "plugin/config/folders.h"

namespace paceline::doctor {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostOutput = 1U << 20U;
constexpr long kOverlayMagic = 0x794c7630;  // linux/magic.h: OVERLAYFS_SUPER_MAGIC
constexpr std::uint64_t kNoLimit = UINT64_MAX;

// Where programs say why they failed.
std::string last_line(std::string_view text) {
  text = trim(text);
  return std::string(text.substr(text.rfind('\n') + 1));
}

// What a program prints if it ends well.
Result<std::string> ask(const Places& places, const std::string& name, std::vector<std::string> arguments) {
  const std::string path = find_program(name, places.search_path);
  if (path.empty()) return fail(Code::kNotFound, "there is no " + name + " on the PATH");
  Program program{path, std::move(arguments), "", false};
  auto ended = run_program(program, kPatience, kMostOutput);
  if (!ended) return fail(ended.error().context(name));
  if (ended->succeeded()) return std::move(ended->output);
  program.with_errors = true;
  const auto again = run_program(program, kPatience, kMostOutput);
  return fail(Code::kInternal, name + ": " + (again ? last_line(again->output) : ended->how()));
}

Result<ContainerdVersion> containerd_version(const Places& places) {
  const auto said = ask(places, "containerd", {"--version"});
  if (!said) return fail(said.error());
  const auto version = parse_containerd_version(*said);
  if (version == ContainerdVersion()) return fail(Code::kInternal, "containerd does not say its version");
  return version;
}

Result<ContainerdConfig> containerd_config(const Places& places) {
  const auto dump = ask(places, "containerd", {"--config", places.containerd_config, "config", "dump"});
  if (!dump) return fail(dump.error());
  return parse_containerd_config(*dump);
}

Result<std::vector<LoadedPlugin>> plugins(const Places& places, const std::string& socket) {
  struct stat info {};
  if (::stat(socket.c_str(), &info) != 0) return fail(errno_error(errno, socket));
  const auto table = ask(places, "ctr", {"--address", socket, "--connect-timeout", "2s", "plugins", "ls"});
  if (!table) return fail(table.error());
  return parse_plugins(*table);
}

// httplib's own texts are the names of its errors: "Connection", "Read".
std::string why(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
      return "cannot connect, nothing seems to listen there";
    case httplib::Error::Read:
      return "what listens there gave no HTTP answer";
    case httplib::Error::Write:
      return "what listens there closed the connection";
    default:
      return "HTTP error '" + httplib::to_string(error) + "'";
  }
}

Result<int> http_status(const std::string& address, const std::string& path) {
  const auto where = config::parse_loopback(address);
  if (!where) return fail(where.error());
  httplib::Client client(where->host, where->port);
  client.set_connection_timeout(2);
  client.set_read_timeout(5);
  const auto answer = client.Get(path);
  if (!answer) return fail(Code::kUnavailable, address + ": " + why(answer.error()));
  return answer->status;
}

// The folder itself may be made later: the file system is the one of what is there.
std::filesystem::path nearest(std::filesystem::path folder) {
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

std::optional<Space> space_at(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) return std::nullopt;
  return Space{folder, space.available};
}

bool is_overlay(const std::filesystem::path& folder) {
  struct statfs info {};
  return ::statfs(folder.c_str(), &info) == 0 && info.f_type == kOverlayMagic;
}

std::optional<Services> services(const Places& places) {
  if (::access("/run/systemd/system", F_OK) != 0) return std::nullopt;
  Services out;
  out.daemon_enabled = ask(places, "systemctl", {"is-enabled", "pacelined.service"}).has_value();
  const auto after = ask(places, "systemctl", {"show", "--property=After", "--value", "containerd.service"});
  out.containerd_after = after && after->find("pacelined.service") != std::string::npos;
  return out;
}

}  // namespace

std::optional<std::uint64_t> open_files_limit(std::int64_t process_id) {
  const auto text = read_file("/proc/" + std::to_string(process_id) + "/limits");
  if (!text) return std::nullopt;
  constexpr std::string_view kRow = "Max open files";
  const auto at = text->find(kRow);
  if (at == std::string::npos) return std::nullopt;
  std::istringstream rest(text->substr(at + kRow.size()));
  std::string soft;
  rest >> soft;
  if (soft == "unlimited") return kNoLimit;
  std::uint64_t limit = 0;
  std::istringstream(soft) >> limit;
  return limit;
}

Node look(const Places& places) {
  Node node;
  node.root = ::geteuid() == 0;
  node.containerd_config_file = places.containerd_config;
  node.version = containerd_version(places);
  node.containerd = containerd_config(places);
  if (node.containerd) node.plugins = plugins(places, node.containerd->socket);

  node.daemon_config_file = places.daemon_config;
  node.daemon_config = config::load(places.daemon_config);
  node.daemon_config_absent = !node.daemon_config && node.daemon_config.error().code == Code::kNotFound;
  if (node.daemon_config_absent) node.daemon_config = config::Config();
  if (node.daemon_config) {
    const auto& config = *node.daemon_config;
    if (config.mirror.enabled) node.mirror_status = http_status(config.mirror.address, "/v2/");
    if (config.metrics.enabled) node.metrics_status = http_status(config.metrics.address, "/readyz");
    node.content_space = space_at(nearest(config::content_folder(config)));
    node.snapshots_on_overlay = is_overlay(nearest(config::snapshotter_folder(config)));
    std::vector<std::filesystem::path> folders;
    if (node.containerd) folders = node.containerd->hosts_folders;
    if (folders.empty()) folders = {"/etc/containerd/certs.d"};
    node.hosts_files = find_hosts_files(folders, config.mirror.address);
  }
  const auto filesystems = read_file("/proc/filesystems");
  node.overlay = filesystems && filesystems->find("\toverlay\n") != std::string::npos;
  node.services = services(places);
  return node;
}

}  // namespace paceline::doctor
