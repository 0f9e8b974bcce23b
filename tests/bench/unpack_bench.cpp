// Unpacks layers into OUT/0, OUT/1, … (bottom layer first), several at once, then finishes them in order, and prints
// what it cost. Also the engine's command line for tests/integration/test_unpack_fidelity.py.
// usage: unpack_bench [--jobs N] [--cores N] [--buffer BYTES] OUT LAYER…      (--cores 0: no slots, and no helpers)
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/fd.h"
#include "plugin/base/files.h"
#include "plugin/unpack/lower_layers.h"
#include "plugin/unpack/unpack.h"

namespace {

using paceline::Status;
using paceline::UniqueFd;
using paceline::unpack::UnpackedLayer;

struct Arguments {
  unsigned jobs = std::thread::hardware_concurrency();
  unsigned cores = std::thread::hardware_concurrency();
  std::size_t buffer_bytes = 4U << 20U;
  std::string out;
  std::vector<std::string> layers;
};

struct Layer {
  UniqueFd folder;
  UnpackedLayer unpacked;
};

bool parse(int count, char** values, Arguments& arguments) {
  int at = 1;
  for (; at + 1 < count && std::string_view(values[at]).starts_with("--"); at += 2) {
    const std::string_view flag = values[at];
    const auto value = std::strtoul(values[at + 1], nullptr, 10);
    if (flag == "--jobs") {
      arguments.jobs = static_cast<unsigned>(value);
    } else if (flag == "--cores") {
      arguments.cores = static_cast<unsigned>(value);
    } else if (flag == "--buffer") {
      arguments.buffer_bytes = value;
    } else {
      return false;
    }
  }
  if (at + 1 >= count) return false;
  arguments.out = values[at++];
  arguments.layers.assign(values + at, values + count);
  return true;
}

Status unpack(const Arguments& arguments, std::size_t index, paceline::unpack::WorkerSlots* slots, Layer& layer) {
  const std::filesystem::path folder = std::filesystem::path(arguments.out) / std::to_string(index);
  if (auto status = paceline::make_directories(folder); !status) return status;
  auto opened = paceline::open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!opened) return paceline::fail(opened.error());
  layer.folder = std::move(*opened);
  auto file = paceline::open_file(arguments.layers[index], O_RDONLY);
  if (!file) return paceline::fail(file.error());
  paceline::unpack::FileSource source(std::move(*file));
  paceline::unpack::Options options;
  options.bottom = index == 0;
  options.buffer_bytes = arguments.buffer_bytes;
  options.slots = slots;
  auto unpacked = paceline::unpack::unpack_layer(source, "", std::nullopt, layer.folder.get(), options);
  if (!unpacked) return paceline::fail(unpacked.error().context(arguments.layers[index]));
  layer.unpacked = std::move(*unpacked);
  return {};
}

/// The layers in order, `jobs` at once, as they would arrive.
bool unpack_all(const Arguments& arguments, std::vector<Layer>& layers) {
  paceline::unpack::WorkerSlots slots(arguments.cores);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < arguments.jobs; ++i) {
    threads.emplace_back([&] {
      for (std::size_t index = next++; index < layers.size() && !failed; index = next++) {
        auto status = unpack(arguments, index, arguments.cores > 0 ? &slots : nullptr, layers[index]);
        if (status) continue;
        std::cerr << status.error().to_string() + "\n";
        failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return !failed;
}

bool finish_all(const std::vector<Layer>& layers) {
  std::vector<int> lowers;  // Top first.
  for (const Layer& layer : layers) {
    auto status = paceline::unpack::finish_layer(layer.folder.get(), layer.unpacked.unfinished, lowers);
    if (!status) {
      std::cerr << status.error().to_string() + "\n";
      return false;
    }
    lowers.insert(lowers.begin(), layer.folder.get());
  }
  return true;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  if (!parse(count, values, arguments)) {
    std::cerr << "usage: unpack_bench [--jobs N] [--cores N] [--buffer BYTES] OUT LAYER...\n";
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<Layer> layers(arguments.layers.size());
  if (!unpack_all(arguments, layers) || !finish_all(layers)) return 1;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  for (const Layer& layer : layers) {
    bytes += layer.unpacked.bytes;
    entries += layer.unpacked.entries;
    std::cout << "diff_id " << layer.unpacked.diff_id.to_string() << "\n";
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("seconds %.3f user %.3f system %.3f rss_kib %ld bytes %llu entries %llu\n", elapsed.count(),
              seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(entries));
  return 0;
}
