#include "plugin/cli/image_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <thread>

#include "plugin/cli/format.h"
#include "plugin/cli/path_name.h"
#include "plugin/cli/progress_line.h"
#include "plugin/config/config.h"

namespace paceline::cli {
namespace {

constexpr const char* kDaemonConfig = "/etc/paceline/config.toml";
constexpr const char* kRegistryPath = "registry";
/// Where nothing is known of the registry.
constexpr const char* kUsualPath = "100mbps-35ms";

std::vector<std::filesystem::path> docker_configs() {
  std::vector<std::filesystem::path> out;
  if (const char* folder = std::getenv("DOCKER_CONFIG"); folder != nullptr && *folder != '\0') {
    out.emplace_back(std::filesystem::path(folder) / "config.json");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    out.emplace_back(std::filesystem::path(home) / ".docker" / "config.json");
  }
  out.emplace_back("/etc/paceline/docker/config.json");
  return out;
}

/// The manifest that the daemon knows of an image by name: of its newest pull.
Outcome<std::string> stored_digest(Session& session, const std::string& image) {
  // "sha256:12" would also be a tag of an image called sha256.
  if (const auto digest = Digest::parse(image); digest || image.starts_with("sha256:")) {
    if (!digest) return tl::unexpected(Failure{Exit::kUsage, digest.error().message});
    return image;
  }
  const auto reference = oci::Reference::parse(image);
  if (!reference) return tl::unexpected(Failure{Exit::kUsage, reference.error().message});
  if (reference->digest) return reference->digest->to_string();
  const auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto records = fetch_all_records(**client);
  if (!records) return tl::unexpected(records.error());
  for (const auto& record : *records) {
    if (record.image == reference->to_string() && !record.manifest_digest.empty()) return record.manifest_digest;
  }
  return tl::unexpected(Failure{Exit::kNotFound, "no pull of " + reference->to_string() +
                                                     " is on record: name the image in the store by its digest"});
}

}  // namespace

void ImageOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--path", path,
          "For whom times are predicted: registry (as this node's records know it), or a rate and a round trip as "
          "100mbps-35ms, 10mbps-100ms, 200mbps-35ms-cap5mbps, 50mbps-80ms-loss0.5%")
      ->type_name("NAME");
  command.add_option("--platform", platform,
                     "os/architecture[/variant], which the image has to be of; default: of several, this machine's");
  command.add_option("--tag", tag, "Which image of a layout or an archive that has several");
  command
      .add_option(
          "--store", store,
          "Read from this content folder (the daemon's, or containerd's) what IMAGE, a manifest's digest or an image "
          "that the daemon has pulled, names")
      ->type_name("FOLDER");
  command
      .add_option("--calibration", calibration, "What 'paceline calibrate --output json' printed; default: this node's")
      ->type_name("FILE");
  command.add_option("--hosts-dir", certs_dirs, "hosts.toml of registries; default: as containerd and Docker")
      ->type_name("FOLDER");
  command.add_flag("--no-unpack", no_unpack, "Predict until all is stored, not until it is unpacked");
}

Failure failure_of(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return {Exit::kNotFound, error.message};
    case Code::kDeadlineExceeded:
      return {Exit::kTimeout, error.message};
    case Code::kCancelled:
      return {Exit::kInterrupted, error.message};
    default:
      return {Exit::kFailed, error.message};
  }
}

std::string mirror_of(const std::filesystem::path& daemon_config) {
  // One that is missing or that this user may not read most likely says nothing else than the default.
  const config::Config config = config::load(daemon_config).value_or(config::Config());
  return config.mirror.enabled ? config.mirror.address : std::string();
}

Outcome<std::unique_ptr<analyze::ImageSource>> open_image(Session& session, const std::string& image,
                                                          const ImageOptions& options) {
  analyze::OpenOptions open;
  open.tag = options.tag;
  open.store = options.store;
  open.platform = oci::Platform::host();
  if (!options.platform.empty()) {
    const auto platform = oci::Platform::parse(options.platform);
    if (!platform) return tl::unexpected(Failure{Exit::kUsage, platform.error().message});
    open.platform = *platform;
    open.platform_asked = true;
  }
  open.registry.certs_dirs.assign(options.certs_dirs.begin(), options.certs_dirs.end());
  open.registry.docker_configs = docker_configs();
  open.registry.own_mirror = mirror_of(kDaemonConfig);
  std::string name = image;
  if (!options.store.empty()) {
    const auto digest = stored_digest(session, image);
    if (!digest) return tl::unexpected(digest.error());
    name = *digest;
  }
  if (analyze::is_reference(name, open)) {
    const auto reference = oci::Reference::parse(name);
    if (!reference) return tl::unexpected(Failure{Exit::kUsage, reference.error().message});
  }
  auto source = analyze::open_image(name, open);
  if (!source) return tl::unexpected(failure_of(source.error()));
  return std::move(*source);
}

Outcome<analyze::Analysis> read_image(Session& session, const std::string& image, analyze::ImageSource& source) {
  ProgressLine line(session.output, session.clock, "reading " + image);
  analyze::AnalyzeOptions analyzing;
  analyzing.threads = std::max(1U, std::thread::hardware_concurrency());
  analyzing.progress = [&](std::uint64_t read, std::uint64_t all) -> Status {
    line.show(read, all);
    if (session.interrupts.interrupted()) return fail(Code::kCancelled, "interrupted");
    return {};
  };
  auto analysis = analyze::analyze(source, analyzing);
  line.end();
  if (!analysis) return tl::unexpected(failure_of(analysis.error()));
  return std::move(*analysis);
}

Outcome<Prediction> prepare_prediction(Session& session, const ImageOptions& options) {
  Prediction out;
  if (!options.path.empty() && options.path != kRegistryPath) {
    const auto path = parse_path_name(options.path);
    if (!path) return tl::unexpected(Failure{Exit::kUsage, path.error().message});
    out.path_name = options.path;
    out.target.path = *path;
  }
  auto model = load_model(session, options.calibration);
  if (!model) return tl::unexpected(model.error());
  out.target.costs = model->calibration.costs;
  out.target.options.unpack = !options.no_unpack;
  out.model = std::move(*model);
  return out;
}

Outcome<void> choose_path(Prediction& prediction, const std::string& registry, const ImageOptions& options) {
  if (!prediction.path_name.empty()) return {};
  if (const adaptive::Path* known = prediction.model.path_to(registry); known != nullptr) {
    prediction.target.path = *known;
    prediction.path_name = std::string(kRegistryPath) + " (" + registry + ")";
    return {};
  }
  if (options.path == kRegistryPath) {
    return tl::unexpected(Failure{
        Exit::kFailed, registry.empty()
                           ? "the image is of no registry: name a path, e.g. --path 100mbps-35ms"
                           : "no pull from " + registry + " is on record here: name a path, e.g. --path 100mbps-35ms"});
  }
  prediction.path_name = kUsualPath;
  prediction.target.path = *parse_path_name(kUsualPath);
  return {};
}

}  // namespace paceline::cli
