#include "plugin/analyze/analysis.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "plugin/analyze/build_only.h"
#include "plugin/analyze/layer_scan.h"
#include "plugin/analyze/package_databases.h"
#include "plugin/analyze/programs.h"

namespace paceline::analyze {
namespace {

constexpr std::size_t kMostGroups = 100;
constexpr std::size_t kMostLargest = 30;
constexpr std::uint64_t kLargeFile = 1'000'000;

/// Reads layers ahead on threads and hands them out bottom first. Only as many as threads wait to be taken, so that
/// memory follows the largest layers and not the image.
class LayerReader {
 public:
  LayerReader(ImageSource& image, const AnalyzeOptions& options) : image_(image), options_(options) {
    for (const auto& layer : image.info().layers) all_ += layer.size;
    const unsigned threads = std::max(1U, options.threads);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  ~LayerReader() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;

  Result<ScannedLayer> take(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.contains(index); });
    auto layer = std::move(done_.extract(index).mapped());
    ++taken_;
    changed_.notify_all();
    return layer;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] {
        return stopping_ || next_ == image_.info().layers.size() || next_ < taken_ + threads_limit();
      });
      if (stopping_ || next_ == image_.info().layers.size()) return;
      const std::size_t index = next_++;
      lock.unlock();
      auto layer = scan(index);
      lock.lock();
      done_.emplace(index, std::move(layer));
      changed_.notify_all();
    }
  }

  [[nodiscard]] std::size_t threads_limit() const { return 2 * std::max(1U, options_.threads); }

  Result<ScannedLayer> scan(std::size_t index) {
    const ImageLayer& layer = image_.info().layers[index];
    auto source = image_.open_layer(index);
    if (!source) return fail(source.error());
    ScanOptions options;
    options.keep = is_package_database;
    options.progress = [this](std::uint64_t bytes) -> Status {
      const std::lock_guard lock(mutex_);
      if (stopping_) return fail(Code::kCancelled, "given up");
      read_ += bytes;
      return options_.progress ? options_.progress(read_, all_) : Status();
    };
    auto scanned = scan_layer(**source, layer.media_type, layer.diff_id, options);
    // Sizes and times are made of what the manifest says.
    if (scanned && scanned->blob_bytes != layer.size) {
      return fail(Code::kFailedPrecondition, "its blob has " + std::to_string(scanned->blob_bytes) +
                                                 " bytes, but the image's manifest says " + std::to_string(layer.size));
    }
    return scanned;
  }

  ImageSource& image_;
  const AnalyzeOptions& options_;
  std::uint64_t all_ = 0;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::map<std::size_t, Result<ScannedLayer>> done_;  // Read and not yet taken.
  std::size_t next_ = 0, taken_ = 0;
  std::uint64_t read_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

LayerReport report_of(const ImageLayer& image_layer, const ScannedLayer& scanned) {
  LayerReport out;
  out.layer = image_layer;
  out.compressed_bytes = scanned.estimated ? scanned.compressed_bytes : image_layer.size;
  out.estimated = scanned.estimated;
  out.uncompressed_bytes = scanned.uncompressed_bytes;
  out.entries = scanned.entries.size();
  for (const Entry& entry : scanned.entries) {
    switch (entry.kind) {
      case EntryKind::kFile:
        ++out.files;
        out.file_bytes += entry.size;
        out.largest_file = std::max(out.largest_file, entry.stored);
        break;
      case EntryKind::kDirectory:
        ++out.directories;
        break;
      case EntryKind::kSymlink:
        ++out.symlinks;
        break;
      case EntryKind::kHardLink:
        ++out.hard_links;
        break;
      case EntryKind::kOther:
        ++out.others;
        break;
      case EntryKind::kWhiteout:
      case EntryKind::kOpaque:
        ++out.whiteouts;
        break;
    }
  }
  return out;
}

constexpr std::uint32_t kNoPackage = kNone;

/// Which package each live file is of: a file of several goes only if all of them do, so that what stays comes first.
/// Of these it is the first, which is dpkg's or apk's where it is in a list of theirs.
std::vector<std::uint32_t> attribute(const ImageTree& tree, std::vector<Package>& packages) {
  std::vector<std::uint32_t> owners(tree.files().size(), kNoPackage);
  std::vector<std::uint32_t> counted(tree.inodes().size(), kNoPackage);
  const auto claim = [&](std::uint32_t number) {
    Package& package = packages[number];
    for (const auto& path : package.paths) {
      const std::uint32_t file = tree.find(path);
      if (file == kNone || tree.files()[file].kind == EntryKind::kDirectory || owners[file] != kNoPackage) continue;
      owners[file] = number;
      const std::uint32_t inode = tree.files()[file].inode;
      ++package.files;
      package.compressed += tree.files()[file].own_compressed;
      if (counted[inode] == number) continue;
      counted[inode] = number;
      package.bytes += tree.inodes()[inode].size;
    }
  };
  for (const bool build_only : {false, true}) {
    for (std::uint32_t number = 0; number < packages.size(); ++number) {
      if (packages[number].build_only == build_only) claim(number);
    }
  }
  return owners;
}

class Classifier {
 public:
  Classifier(Analysis& analysis, const std::vector<std::uint32_t>& owners, const std::set<std::uint32_t>& programs)
      : analysis_(analysis),
        owners_(owners),
        programs_(programs),
        compiling_(compiles_at_run_time(analysis.packages)) {}

  void run() {
    const auto& files = analysis_.tree.files();
    analysis_.file_classes.assign(files.size(), FileClass::kNeeded);
    for (std::uint32_t i = 0; i < files.size(); ++i) analysis_.file_classes[i] = one(i);
    unite_shared_inodes();
    find_duplicates();
    std::vector<bool> counted(analysis_.tree.inodes().size(), false);
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      if (files[i].kind == EntryKind::kDirectory) continue;
      Sum sum{1, 0, files[i].own_compressed};
      // Every name of an inode is of its class: it is counted where it was first.
      const Inode& inode = analysis_.tree.inodes()[files[i].inode];
      if (!counted[files[i].inode]) {
        counted[files[i].inode] = true;
        sum.bytes = inode.size;
        sum.stored = inode.stored;
      }
      const auto number = static_cast<std::size_t>(analysis_.file_classes[i]);
      analysis_.classes[number] += sum;
      analysis_.layers[files[i].layer].classes[number] += sum;
      if (analysis_.file_classes[i] == FileClass::kNeeded && sum.bytes >= kLargeFile) {
        analysis_.largest.push_back({analysis_.tree.path(files[i].node), inode.size, files[i].layer});
      }
    }
    auto& largest = analysis_.largest;
    std::sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    if (largest.size() > kMostLargest) largest.resize(kMostLargest);
  }

 private:
  [[nodiscard]] FileClass one(std::uint32_t number) const {
    const ImageTree& tree = analysis_.tree;
    const File& file = tree.files()[number];
    if (!file.live()) return FileClass::kHidden;
    if (file.kind == EntryKind::kDirectory || programs_.contains(number)) return FileClass::kNeeded;
    const Package* owner = owners_[number] == kNoPackage ? nullptr : &analysis_.packages[owners_[number]];
    const std::string path = tree.path(file.node);
    const FileClass by_path =
        classify(path, {.owner = owner, .symlink = file.kind == EntryKind::kSymlink, .compiling = compiling_});
    if (by_path != FileClass::kNeeded) return by_path;
    const std::string source = bytecode_source(path);
    return !source.empty() && tree.find(source) != kNone ? FileClass::kBytecode : FileClass::kNeeded;
  }

  /// An inode's bytes go only when all of its names do: so all of them stay if one does, and else are of one class, the
  /// last of theirs. Who follows the advice on that class alone then saves what it says.
  void unite_shared_inodes() {
    const auto& files = analysis_.tree.files();
    auto& classes = analysis_.file_classes;
    std::vector<bool> stays(analysis_.tree.inodes().size(), false);
    std::vector<FileClass> last(analysis_.tree.inodes().size(), FileClass::kNeeded);
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      if (classes[i] == FileClass::kNeeded) stays[files[i].inode] = true;
      last[files[i].inode] = std::max(last[files[i].inode], classes[i]);
    }
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      classes[i] = stays[files[i].inode] ? FileClass::kNeeded : last[files[i].inode];
    }
  }

  void find_duplicates() {
    const auto& tree = analysis_.tree;
    struct Same {
      std::uint64_t size;
      ContentKey content;
      auto operator<=>(const Same&) const = default;
    };
    std::map<Same, std::vector<std::uint32_t>> groups;
    for (std::uint32_t i = 0; i < tree.files().size(); ++i) {
      const File& file = tree.files()[i];
      // A name that a later layer hides counts as needed where another name of its inode is: no container sees it.
      if (analysis_.file_classes[i] != FileClass::kNeeded || file.kind != EntryKind::kFile || !file.live()) continue;
      const Inode& inode = tree.inodes()[file.inode];
      // With several names it is shared already; taking one of them away would save nothing, be it hidden or not.
      if (inode.size < kLeastDuplicate || inode.names != 1) continue;
      groups[{inode.size, inode.content}].push_back(i);
    }
    for (auto& [same, members] : groups) {
      if (members.size() < 2) continue;
      // One that the image starts with is the one to keep.
      const auto starts = [this](std::uint32_t file) { return programs_.contains(file); };
      std::stable_partition(members.begin(), members.end(), starts);
      DuplicateGroup group{same.size, {}};
      for (std::size_t k = 0; k < members.size(); ++k) {
        if (k > 0 && !starts(members[k])) analysis_.file_classes[members[k]] = FileClass::kDuplicate;
        group.paths.push_back(tree.path(tree.files()[members[k]].node));
      }
      analysis_.duplicates.push_back(std::move(group));
    }
    auto& all = analysis_.duplicates;
    std::sort(all.begin(), all.end(), [](const DuplicateGroup& a, const DuplicateGroup& b) {
      return a.size * (a.paths.size() - 1) > b.size * (b.paths.size() - 1);
    });
    if (all.size() > kMostGroups) all.resize(kMostGroups);
  }

  Analysis& analysis_;
  const std::vector<std::uint32_t>& owners_;
  const std::set<std::uint32_t>& programs_;
  bool compiling_;
};

}  // namespace

Sum& Sum::operator+=(const Sum& other) {
  files += other.files;
  bytes += other.bytes;
  compressed += other.compressed;
  stored += other.stored;
  return *this;
}

std::uint64_t Analysis::compressed_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& layer : layers) sum += layer.compressed_bytes;
  return sum;
}

std::uint64_t Analysis::uncompressed_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& layer : layers) sum += layer.uncompressed_bytes;
  return sum;
}

std::uint64_t Analysis::entries() const {
  std::uint64_t sum = 0;
  for (const auto& layer : layers) sum += layer.entries;
  return sum;
}

Sum Analysis::waste() const {
  Sum sum;
  for (const FileClass file_class : kAllFileClasses) {
    if (file_class != FileClass::kNeeded) sum += this->sum(file_class);
  }
  return sum;
}

Sum Analysis::all() const {
  Sum sum = waste();
  sum += this->sum(FileClass::kNeeded);
  return sum;
}

std::vector<adaptive::PullLayer> Analysis::loads() const {
  std::vector<adaptive::PullLayer> out;
  for (const auto& layer : layers) out.push_back(layer.load());
  return out;
}

Result<Analysis> analyze(ImageSource& image, const AnalyzeOptions& options) {
  Analysis out;
  out.image = image.info();
  {
    LayerReader reader(image, options);
    for (std::size_t i = 0; i < out.image.layers.size(); ++i) {
      const auto named = [&](const Error& error) {
        return fail(error.context(out.image.name + ": layer " + std::to_string(i + 1) + " (" +
                                  out.image.layers[i].digest.short_hex() + ")"));
      };
      auto layer = reader.take(i);
      if (!layer) return named(layer.error());
      out.layers.push_back(report_of(out.image.layers[i], *layer));
      if (auto added = out.tree.add(*layer); !added) return named(added.error());
    }
  }
  std::map<std::string, std::string_view> databases;
  for (const auto& [file, text] : out.tree.kept()) databases.emplace(out.tree.path(out.tree.files()[file].node), text);
  auto packages = read_packages(databases);
  if (!packages) return fail(packages.error().context(out.image.name));
  out.packages = std::move(*packages);
  const auto programs = find_programs(out.image.start, out.tree);
  require_owners(programs, out.tree, out.packages);
  find_build_only(out.packages);
  const auto owners = attribute(out.tree, out.packages);
  Classifier(out, owners, programs).run();
  if (auto status = out.tree.followed_all(); !status) return fail(status.error().context(out.image.name));
  for (Package& package : out.packages) package.paths = {};
  // A distribution's package brings its dist-info along: that is the same thing twice.
  std::erase_if(out.packages,
                [](const Package& package) { return package.kind == PackageKind::kPython && package.files == 0; });
  std::stable_sort(out.packages.begin(), out.packages.end(),
                   [](const Package& a, const Package& b) { return a.bytes > b.bytes; });
  return out;
}

}  // namespace paceline::analyze
