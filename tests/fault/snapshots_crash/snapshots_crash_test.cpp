// kill -9 at any instant: a child process prepares, commits, adopts and removes snapshots at random until it is killed;
// then they are opened, and every row must have its files, every folder its row, and what was acknowledged must be
// there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/snapshots/snapshotter.h"
#include "tests/support/temp_dir.h"

namespace paceline::snapshots {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 60;
constexpr auto kLongestLife = std::chrono::milliseconds(400);
constexpr int kLayers = 6;

struct Place {
  fs::path root;
  fs::path unpacked;  // Where the provider would keep its layers.
  fs::path journal;   // What the child was promised.
};

// ---- the child

class Worker {
 public:
  Worker(Snapshotter& snapshotter, const Place& place, unsigned seed)
      : snapshotter_(snapshotter), place_(place), random_(seed), name_("worker-" + std::to_string(seed)) {}

  [[noreturn]] void run() {
    for (;;) step();
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  // Refusals are part of the game; damage and bugs are not.
  void check(const Status& status) {
    if (status || status.error().code != Code::kInternal) return;
    std::cerr << status.error().to_string() << std::endl;
    ::_exit(3);
  }

  template <class T>
  void check(const Result<T>& result) {
    if (!result) check(Status(tl::unexpected(result.error())));
  }

  void write_down(const std::string& line) {
    static const int journal = ::open(place_.journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string whole = line + "\n";
    if (::write(journal, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) ::_exit(4);
  }

  std::string any_committed() {
    const auto all = snapshotter_.list(Filter::parse(std::vector<std::string>{"kind==committed"}).value());
    check(all);
    if (!all || all->empty() || below(4) == 0) return "";
    return (*all)[below(all->size())].name;
  }

  void step() {
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        return make_and_commit();
      case 3:
        return check(snapshotter_.create({Kind::kView, unique(), any_committed(), {}}));
      case 4:
        return adopt();
      case 5:
      case 6:
      case 7:
      case 8:
        return remove();
      default:
        if (below(4) == 0) check(snapshotter_.clean_up());
    }
  }

  std::string unique() { return name_ + "-" + std::to_string(count_++); }

  void make_and_commit() {
    const auto key = unique();
    const auto mounts = snapshotter_.create({Kind::kActive, key, any_committed(), {{"key", key}}});
    check(mounts);
    if (!mounts) return;
    write_down("+" + key);
    std::string files = mounts->at(0).source;
    for (const auto& option : mounts->at(0).options) {
      if (option.starts_with("upperdir=")) files = option.substr(9);
    }
    std::ofstream(files + "/content") << "committed";
    if (below(3) == 0) return;
    write_down("-" + key);
    const auto committed = snapshotter_.commit("of " + key, key, {{"name", key}});
    check(committed);
    if (committed) write_down("+of " + key);
  }

  void adopt() {
    const auto chain_id = "sha256:" + std::to_string(below(kLayers));
    const auto parent = any_committed();
    const Labels labels = {{kLayerLabel, chain_id}};
    const auto found = snapshotter_.find_layer(chain_id, parent, labels);
    check(found);
    if (!found || *found) return;
    const auto files = place_.unpacked / unique();
    fs::create_directories(files);
    std::ofstream(files / "content") << chain_id;
    check(snapshotter_.adopt_layer(chain_id, parent, labels, {files, std::nullopt}));
  }

  void remove() {
    const auto all = snapshotter_.list(Filter());
    check(all);
    if (!all || all->empty()) return;
    const auto name = (*all)[below(all->size())].name;
    write_down("-" + name);
    const auto removed = snapshotter_.remove(name);
    check(removed);
    if (!removed && removed.error().code == Code::kFailedPrecondition) write_down("+" + name);
  }

  Snapshotter& snapshotter_;
  const Place& place_;
  std::mt19937 random_;
  const std::string name_;
  int count_ = 0;
};

[[noreturn]] void live(const Place& place, unsigned seed) {
  const SystemClock clock;
  auto snapshotter = Snapshotter::open(place.root, clock);
  if (!snapshotter) {
    std::cerr << snapshotter.error().to_string() << std::endl;
    ::_exit(2);
  }
  std::thread other([&] { Worker(**snapshotter, place, seed + 1).run(); });
  Worker(**snapshotter, place, seed).run();
}

// ---- the parent

class SnapshotsCrash : public ::testing::Test {
 protected:
  void let_live_and_kill(unsigned seed, std::chrono::microseconds life) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) live(place_, seed);
    std::this_thread::sleep_for(life);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status) << ", seed " << seed;
  }

  /// A name is promised while its last line says so; two workers may have written about one at the same time, and then
  /// nothing is known of it.
  [[nodiscard]] std::set<std::string> promised() const {
    std::set<std::string> there;
    std::set<std::string> doubtful;
    std::istringstream lines(read_file(place_.journal).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      const auto name = line.substr(1);
      if (line[0] == '+') {
        if (!doubtful.contains(name)) there.insert(name);
      } else {
        there.erase(name);
        doubtful.insert(name);
      }
    }
    return there;
  }

  void check_everything() {
    const SystemClock clock;
    auto opened = Snapshotter::open(place_.root, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    Snapshotter& snapshotter = **opened;
    ASSERT_TRUE(snapshotter.clean_up());

    std::set<std::string> names;
    const auto all = snapshotter.list(Filter()).value();
    for (const auto& info : all) names.insert(info.name);
    for (const auto& info : all) {
      ASSERT_TRUE(info.parent.empty() || names.contains(info.parent)) << info.name << " on " << info.parent;
    }
    for (const auto& name : promised()) ASSERT_TRUE(names.contains(name)) << name << " was promised and is gone";

    // Every row has its files …
    opened->reset();
    auto table = SnapshotTable::open(place_.root / "snapshots.db").value();
    std::set<FolderId> folders;
    for (const auto& info : all) {
      const auto record = table.find(info.name).value();
      auto stack = table.stack(record).value();
      stack.parents.push_back(stack.own);
      for (const auto id : stack.parents) folders.insert(id);
      if (info.kind != Kind::kCommitted) {
        ++others_;
        continue;
      }
      ++committed_;
      ASSERT_GT(record.usage.inodes, 1) << info.name;
      const auto content = read_file(place_.root / "snapshots" / std::to_string(stack.own) / "fs/content").value_or("");
      ASSERT_TRUE(content == "committed" || content.starts_with("sha256:")) << info.name << ": " << content;
    }
    // … and every folder its row.
    std::set<FolderId> found;
    for (const auto& item : fs::directory_iterator(place_.root / "snapshots")) {
      ASSERT_TRUE(fs::is_directory(item.path() / "fs")) << item.path();
      found.insert(std::stoll(item.path().filename().string()));
    }
    ASSERT_EQ(found, folders);
    ASSERT_TRUE(fs::is_empty(place_.root / "new"));
    ASSERT_TRUE(fs::is_empty(place_.root / "removed"));
    shared_ += all.size() - found.size();
  }

  void remove_everything() {
    const SystemClock clock;
    auto snapshotter = Snapshotter::open(place_.root, clock).value();
    for (;;) {
      const auto all = snapshotter->list(Filter()).value();
      if (all.empty()) break;
      std::size_t removed = 0;
      for (const auto& info : all) removed += snapshotter->remove(info.name) ? 1 : 0;
      ASSERT_GT(removed, 0U);
    }
    ASSERT_TRUE(snapshotter->clean_up());
    EXPECT_TRUE(fs::is_empty(place_.root / "snapshots"));
  }

  test::TempDir dir_;
  const Place place_{dir_.path() / "root", dir_.path() / "unpacked", dir_.path() / "journal"};
  std::size_t committed_ = 0, others_ = 0, shared_ = 0;
};

TEST_F(SnapshotsCrash, NothingIsEverHalfThere) {
  std::random_device device;
  const char* fixed = std::getenv("SNAPSHOTS_CRASH_SEED");
  const unsigned seed = fixed != nullptr ? static_cast<unsigned>(std::strtoul(fixed, nullptr, 10)) : device();
  RecordProperty("seed", std::to_string(seed));
  std::cout << "SNAPSHOTS_CRASH_SEED=" << seed << std::endl;
  std::mt19937 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    const auto life = std::chrono::microseconds(random() % std::chrono::microseconds(kLongestLife).count());
    let_live_and_kill(random(), life);
    if (HasFatalFailure()) return;
    check_everything();
    if (HasFatalFailure()) return;
  }
  std::cout << "after " << kRounds << " kills: " << committed_ << " committed snapshots seen, " << shared_
            << " on a shared folder, and " << others_ << " others" << std::endl;
  remove_everything();
}

}  // namespace
}  // namespace paceline::snapshots
