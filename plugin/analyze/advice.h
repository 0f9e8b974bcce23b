// What would make an image start faster, each point with the seconds that the model predicts for it on one path, most
// first. Files are only ever named when the reason why a container does without them is known (file_class.h). Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adaptive/pull_model.h"
#include "plugin/analyze/analysis.h"

namespace paceline::analyze {

/// For whom the pull is predicted.
struct Target {
  adaptive::Path path;
  adaptive::NodeCosts costs;
  adaptive::PullOptions options;
};

struct Advice {
  std::string id;      ///< A class of files by name, or "split-layer", "order-layers", "merge-layers".
  std::string title;   ///< What is there.
  std::string why;     ///< Why it may go.
  std::string how;     ///< What to do.
  Sum gain;            ///< What goes; nothing for advice on the shape of layers.
  double seconds = 0;  ///< Predicted saving of this point alone.
};

struct AdviceList {
  std::vector<Advice> points;  ///< Most seconds first; those that bring nothing measurable are left out.
  adaptive::PullPrediction now;
  adaptive::PullPrediction without_waste;  ///< With all points that remove files followed.
};

[[nodiscard]] AdviceList advise(const Analysis& analysis, const Target& target);

/// The layers without the files of these classes.
[[nodiscard]] std::vector<adaptive::PullLayer> loads_without(const Analysis& analysis,
                                                             const std::vector<FileClass>& classes);

/// The paths of a class's files, for a build to leave out; of each layer.
[[nodiscard]] std::vector<std::vector<std::string>> paths_of(const Analysis& analysis, FileClass file_class);

}  // namespace paceline::analyze
