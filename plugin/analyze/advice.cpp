#include "plugin/analyze/advice.h"

#include <algorithm>

#include "plugin/base/text.h"
#include "plugin/unpack/tar_header.h"

namespace paceline::analyze {
namespace {

/// Below that a prediction says nothing.
constexpr double kLeastSeconds = 0.0005;
/// Layers smaller than that cost a request more than their bytes do, on any path worth speaking of.
constexpr std::uint64_t kTinyLayer = 256'000;
constexpr std::size_t kManyTinyLayers = 4;
constexpr std::size_t kMostNamed = 8;

double predict(const std::vector<adaptive::PullLayer>& loads, const Target& target) {
  return adaptive::predict_pull(loads, target.path, target.costs, target.options).total();
}

std::string count_of(std::uint64_t number, const char* noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

struct Words {
  const char* what;
  const char* why;
  const char* how;
};

Words words_of(FileClass file_class) {
  switch (file_class) {
    case FileClass::kHidden:
      return {"files that a later layer overwrites or deletes",
              "every pull fetches and unpacks them, and no container sees them",
              "delete in the same RUN that created them, or copy the result into a fresh stage (multi-stage build)"};
    case FileClass::kBuildPackage:
      return {"packages for building only", "no package that stays depends on them at run time",
              "install them in a build stage and COPY the result into the final one; or install and purge in one RUN"};
    case FileClass::kAptLists:
      return {"apt's package lists", "apt-get update fetches them anew",
              "end the RUN that calls apt-get with: rm -rf /var/lib/apt/lists/*"};
    case FileClass::kCache:
      return {"caches of package managers", "they are downloaded or made anew when they are missed",
              "apt-get clean, pip install --no-cache-dir, in the same RUN; or a cache mount (RUN --mount=type=cache)"};
    case FileClass::kHeader:
      return {"headers of no package that stays", "only compilers read them", "leave them in the build stage"};
    case FileClass::kStaticLibrary:
      return {"static libraries of no package that stays", "only linkers read them", "leave them in the build stage"};
    case FileClass::kDocs:
      return {
          "manuals and documentation", "nothing but people reads them; licences are not counted",
          "a slim base image; or dpkg's path-exclude=/usr/share/doc/* (path-include=…/copyright) and /usr/share/man/*"};
    case FileClass::kLocale:
      return {"translations to other languages than English",
              "programs that miss them say the same in English; keep those that the function's users read",
              "a slim base image; or dpkg's path-exclude=/usr/share/locale/*/LC_MESSAGES/*"};
    case FileClass::kBytecode:
      return {"Python bytecode beside its source",
              "Python makes it from the source, at the price of a slower first import in every new container",
              "PYTHONDONTWRITEBYTECODE=1, pip install --no-compile; weigh it against the imports at start"};
    case FileClass::kDuplicate:
      return {"further copies of the same contents", "one of each group stays, and the others can be links to it",
              "COPY it once, do not mv or cp between layers, and link (ln) the rest"};
    case FileClass::kNeeded:
      break;
  }
  return {"", "", ""};
}

std::string packages_text(const Analysis& analysis) {
  std::string names;
  std::size_t number = 0;
  for (const Package& package : analysis.packages) {
    if (!package.build_only || package.files == 0) continue;
    if (++number <= kMostNamed) names += (names.empty() ? "" : ", ") + package.name;
  }
  if (number > kMostNamed) names += " and " + std::to_string(number - kMostNamed) + " more";
  return names;
}

Advice about(const Analysis& analysis, FileClass file_class) {
  const Words words = words_of(file_class);
  Advice advice;
  advice.id = std::string(name_of(file_class));
  advice.gain = analysis.sum(file_class);
  advice.title = format_bytes(advice.gain.bytes) + " in " + count_of(advice.gain.files, "file") + ": " + words.what;
  if (file_class == FileClass::kBuildPackage) advice.title += " (" + packages_text(analysis) + ")";
  if (file_class == FileClass::kDuplicate && !analysis.duplicates.empty()) {
    const auto& most = analysis.duplicates.front();
    advice.title += " (most: " + std::to_string(most.paths.size()) + " × " + most.paths.front() + ")";
  }
  advice.why = words.why;
  advice.how = words.how;
  return advice;
}

/// The largest layer in as many parts as there are cores, if that is what the pull waits for.
void advise_splitting(const Analysis& analysis, const Target& target, double now, std::vector<Advice>& out) {
  const auto loads = analysis.loads();
  const auto largest = std::max_element(loads.begin(), loads.end(), [](const auto& a, const auto& b) {
    return a.uncompressed_bytes < b.uncompressed_bytes;
  });
  if (largest == loads.end()) return;
  const auto index = static_cast<std::size_t>(largest - loads.begin());
  // What lies in one file cannot be split.
  const auto& report = analysis.layers[index];
  const auto parts = static_cast<std::uint64_t>(std::clamp(target.costs.cores, 2.0, 8.0));
  if (largest->files < 2 * parts || report.largest_file > largest->uncompressed_bytes / parts) return;
  auto split = loads;
  split[index] = {largest->compressed_bytes / parts, largest->uncompressed_bytes / parts, largest->files / parts};
  split.insert(split.begin() + static_cast<std::ptrdiff_t>(index), parts - 1, split[index]);
  Advice advice;
  advice.id = "split-layer";
  advice.seconds = now - predict(split, target);
  advice.title = "layer " + std::to_string(index + 1) + " has " + format_bytes(largest->uncompressed_bytes) + " of " +
                 format_bytes(analysis.uncompressed_bytes()) +
                 ": it is unpacked on one core while others have nothing left to do";
  advice.why = "layers are unpacked in parallel, files of one layer are not";
  advice.how =
      "split the step that makes it into " + std::to_string(parts) + " of about the same size (several COPY or RUN)";
  out.push_back(std::move(advice));
}

/// The layer with the most to unpack behind the base layer, if it arrives late and stands on nothing between them.
void advise_order(const Analysis& analysis, const Target& target, double now, std::vector<Advice>& out) {
  if (analysis.layers.size() < 3) return;
  auto loads = analysis.loads();
  const auto costs = adaptive::predict_pull(loads, target.path, target.costs, target.options).layers;
  std::size_t most = 1;
  for (std::size_t i = 2; i < loads.size(); ++i) {
    if (costs[i].inflate + costs[i].unpack > costs[most].inflate + costs[most].unpack) most = i;
  }
  if (most == 1) return;
  for (const File& file : analysis.tree.files()) {
    // It changes what a layer between has brought, or has a hard link to it.
    if (file.hidden_by == most && file.layer > 0) return;
    const std::uint32_t from = analysis.tree.inodes()[file.inode].layer;
    if (file.layer == most && from > 0 && from < most) return;
  }
  std::rotate(loads.begin() + 1, loads.begin() + static_cast<std::ptrdiff_t>(most),
              loads.begin() + static_cast<std::ptrdiff_t>(most) + 1);
  Advice advice;
  advice.id = "order-layers";
  advice.seconds = now - predict(loads, target);
  advice.title = "layer " + std::to_string(most + 1) + " has the most to unpack, and comes after others";
  advice.why = "layers arrive in order: one that comes early is unpacked while the others arrive";
  advice.how = "move the step that makes it up to the base image, if it does not need what is made before it";
  out.push_back(std::move(advice));
}

void advise_merging(const Analysis& analysis, const Target& target, double now, std::vector<Advice>& out) {
  std::vector<adaptive::PullLayer> merged;
  std::size_t tiny = 0;
  bool within = false;
  for (const auto& load : analysis.loads()) {
    const bool is_tiny = load.compressed_bytes < kTinyLayer;
    tiny += is_tiny ? 1 : 0;
    if (is_tiny && within) {
      merged.back().compressed_bytes += load.compressed_bytes;
      merged.back().uncompressed_bytes += load.uncompressed_bytes;
      merged.back().files += load.files;
    } else {
      merged.push_back(load);
    }
    within = is_tiny;
  }
  if (tiny < kManyTinyLayers || merged.size() == analysis.layers.size()) return;
  Advice advice;
  advice.id = "merge-layers";
  advice.seconds = now - predict(merged, target);
  advice.title = count_of(tiny, "layer") + " of less than " + format_bytes(kTinyLayer);
  advice.why = "each layer costs a request and a snapshot, whatever its size";
  advice.how = "join neighbouring RUN, COPY and ENV-made files into one step; " +
               std::to_string(analysis.layers.size()) + " layers become " + std::to_string(merged.size());
  out.push_back(std::move(advice));
}

}  // namespace

std::vector<adaptive::PullLayer> loads_without(const Analysis& analysis, const std::vector<FileClass>& classes) {
  std::vector<adaptive::PullLayer> out;
  for (const auto& layer : analysis.layers) {
    auto load = layer.load();
    for (const FileClass file_class : classes) {
      const Sum& sum = layer.classes[static_cast<std::size_t>(file_class)];
      // In the tar a file takes a header and whole blocks; half a block on average is padding.
      const std::uint64_t tar = sum.stored + sum.files * (unpack::kTarBlock + unpack::kTarBlock / 2);
      load.compressed_bytes -= std::min(load.compressed_bytes, sum.compressed);
      load.uncompressed_bytes -= std::min(load.uncompressed_bytes, tar);
      load.files -= std::min(load.files, sum.files);
    }
    out.push_back(load);
  }
  return out;
}

std::vector<std::vector<std::string>> paths_of(const Analysis& analysis, FileClass file_class) {
  std::vector<std::vector<std::string>> out(analysis.layers.size());
  const auto& files = analysis.tree.files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (analysis.file_classes[i] != file_class || files[i].kind == EntryKind::kDirectory) continue;
    out[files[i].layer].push_back(analysis.tree.path(files[i].node));
  }
  return out;
}

AdviceList advise(const Analysis& analysis, const Target& target) {
  AdviceList out;
  out.now = adaptive::predict_pull(analysis.loads(), target.path, target.costs, target.options);
  const double now = out.now.total();
  std::vector<FileClass> removable;
  for (const FileClass file_class : kAllFileClasses) {
    if (file_class == FileClass::kNeeded || analysis.sum(file_class).files == 0) continue;
    Advice advice = about(analysis, file_class);
    advice.seconds = now - predict(loads_without(analysis, {file_class}), target);
    out.points.push_back(std::move(advice));
    removable.push_back(file_class);
  }
  advise_splitting(analysis, target, now, out.points);
  advise_order(analysis, target, now, out.points);
  advise_merging(analysis, target, now, out.points);
  std::erase_if(out.points, [](const Advice& advice) { return advice.seconds < kLeastSeconds; });
  std::stable_sort(out.points.begin(), out.points.end(),
                   [](const Advice& a, const Advice& b) { return a.seconds > b.seconds; });
  out.without_waste =
      adaptive::predict_pull(loads_without(analysis, removable), target.path, target.costs, target.options);
  return out;
}

}  // namespace paceline::analyze
