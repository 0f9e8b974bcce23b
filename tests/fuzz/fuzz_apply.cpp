// A whole unpack into a folder: whatever the archive, nothing beside the folder is touched, and what was made can be
// removed. Run as root it makes devices and sets owners as the daemon does; TMPDIR on a tmpfs makes it fast.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "plugin/unpack/lower_layers.h"
#include "plugin/unpack/remove_tree.h"
#include "plugin/unpack/unpack.h"
#include "tests/fuzz/input.h"

namespace paceline::fuzz {
namespace fs = std::filesystem;
namespace {

/// A folder with something an escape would reach, and a layer below the one that is unpacked.
class Playground {
 public:
  Playground() {
    std::string name = (fs::temp_directory_path() / "paceline-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    fs::create_directories(root_ / "lower" / "usr" / "lib");
    std::ofstream(root_ / "lower" / "usr" / "lib" / "below") << "below";
    std::ofstream(root_ / "secret") << "untouched";
    all_ = open(root_);
    lower_ = open(root_ / "lower");
  }
  ~Playground() { fs::remove_all(root_); }
  Playground(const Playground&) = delete;
  Playground& operator=(const Playground&) = delete;

  void play(const Input& input) {
    fs::create_directory(root_ / "layer");
    {
      const UniqueFd layer = open(root_ / "layer");
      unpack::Options options;
      options.limits = {.bytes = 4U << 20U, .entries = 500};
      options.bottom = (input.choice & 1U) != 0;
      options.device_nodes = (input.choice & 2U) != 0;
      Blob source(input.blob, (input.choice & 4U) != 0 ? 500 : SIZE_MAX);
      auto unpacked = unpack::unpack_layer(source, "", std::nullopt, layer.get(), options);
      const int lowers[] = {lower_.get()};
      // Its error is an answer, too: a link's target may exist nowhere.
      if (unpacked) (void)unpack::finish_layer(layer.get(), unpacked->unfinished, lowers);
    }
    if (!unpack::remove_tree(all_.get(), "layer")) std::abort();
    check();
  }

 private:
  static UniqueFd open(const fs::path& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  static std::string content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void check() const {
    const auto entries = std::distance(fs::recursive_directory_iterator(root_), fs::recursive_directory_iterator());
    struct stat secret {};
    if (::lstat((root_ / "secret").c_str(), &secret) != 0 || secret.st_nlink != 1 || entries != 5) std::abort();
    if (content(root_ / "secret") != "untouched" || content(root_ / "lower/usr/lib/below") != "below") std::abort();
  }

  fs::path root_;
  UniqueFd all_;
  UniqueFd lower_;
};

}  // namespace
}  // namespace paceline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static paceline::fuzz::Playground playground;
  playground.play(paceline::fuzz::Input(std::as_bytes(std::span(data, size))));
  return 0;
}
