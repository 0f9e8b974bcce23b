// The options that analyze and compare share: where images come from, and for which path and node they are predicted.
// One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plugin/analyze/advice.h"
#include "plugin/analyze/analysis.h"
#include "plugin/analyze/open_image.h"
#include "plugin/cli/node_model.h"
#include "plugin/cli/session.h"

namespace paceline::cli {

struct ImageOptions {
  std::string path;  ///< "registry", or a name of path_name.h; empty: registry where it is known.
  std::string platform;
  std::string tag;
  std::string store;
  std::string calibration;
  std::vector<std::string> certs_dirs = {"/etc/containerd/certs.d", "/etc/docker/certs.d"};
  bool no_unpack = false;

  void add_to(CLI::App& command);
};

/// An image's path by name, and the model.
struct Prediction {
  analyze::Target target;
  std::string path_name;
  NodeModel model;
};

/// host:port of the mirror that the daemon of this configuration serves; empty: none.
[[nodiscard]] std::string mirror_of(const std::filesystem::path& daemon_config);

/// Before anything is read, so that what is wrong with the options is said at once: the model, and the path if it has a
/// name.
Outcome<Prediction> prepare_prediction(Session& session, const ImageOptions& options);
/// Finds the image; of one in a registry its manifest and config are read. kUsage: the name is none.
Outcome<std::unique_ptr<analyze::ImageSource>> open_image(Session& session, const std::string& image,
                                                          const ImageOptions& options);
/// The path where none was named: `registry`'s, as the model knows it. Empty: the image is of no registry.
Outcome<void> choose_path(Prediction& prediction, const std::string& registry, const ImageOptions& options);
/// Reads the layers, with progress on standard error.
Outcome<analyze::Analysis> read_image(Session& session, const std::string& image, analyze::ImageSource& source);

/// What a failure of the analysis exits with.
[[nodiscard]] Failure failure_of(const Error& error);

}  // namespace paceline::cli
