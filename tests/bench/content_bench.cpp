// One client for every content service: MB/s of Read, one RPC per so many bytes as containerd's unpack does it, of
// Write in messages of so many bytes, and of reading the same file directly. Prints CSV:
// system,operation,message_bytes,rep,mib_per_s.
//
//   content_bench --system NAME --address SOCKET [--namespace NS] --read BYTES… --write BYTES… --rep N
//   content_bench --system direct --file PATH --read BYTES… --rep N
//
// The blob to read is made by the client, from a fixed seed, so that every server holds the same one.
#include <absl/synchronization/mutex.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "containerd/services/content/v1/content.grpc.pb.h"
#include "plugin/base/digest.h"
#include "plugin/base/files.h"

namespace {

namespace api = containerd::services::content::v1;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMiB = 1U << 20U;

struct Options {
  std::string system, address, name_space, file;
  std::vector<std::size_t> read, write;
  std::size_t blob_mib = 128;
  int rep = 1;
};

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "content_bench: {}\n", what);
  std::exit(1);
}

void check(const grpc::Status& status, std::string_view what) {
  if (!status.ok()) die(fmt::format("{}: {} {}", what, int{status.error_code()}, status.error_message()));
}

void report(const Options& options, std::string_view operation, std::size_t message, Clock::duration time) {
  const double seconds = std::chrono::duration<double>(time).count();
  fmt::print("{},{},{},{},{:.1f}\n", options.system, operation, message, options.rep,
             static_cast<double>(options.blob_mib) / seconds);
  std::fflush(stdout);
}

/// A MiB that no compression helps with; blob number `seed` is this one over and over, with its number in each.
std::string megabyte(unsigned seed) {
  std::mt19937_64 random(seed);
  std::string data(kMiB, '\0');
  for (std::size_t i = 0; i < data.size(); i += 8) {
    const auto value = random();
    std::copy_n(reinterpret_cast<const char*>(&value), 8, data.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return data;
}

class Client {
 public:
  explicit Client(const Options& options) : options_(options) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = api::Content::NewStub(
        grpc::CreateCustomChannel("unix:" + options.address, grpc::InsecureChannelCredentials(), arguments));
  }

  /// Writes a blob and returns its digest; fine when it is there.
  std::string write(unsigned seed, std::size_t message) {
    const auto data = megabyte(seed);
    grpc::ClientContext context;
    prepare(context);
    const auto stream = stub_->Write(&context);
    api::WriteContentRequest request;
    api::WriteContentResponse response;
    const auto exchange = [&] {
      if (!stream->Write(request) || !stream->Read(&response)) {
        check(stream->Finish(), "Write");
        die("Write: the stream ended early");
      }
    };
    const auto total = options_.blob_mib * kMiB;
    request.set_action(api::STAT);
    request.set_ref(fmt::format("bench-{}-{}-{}", options_.rep, seed, message));
    request.set_total(static_cast<std::int64_t>(total));
    exchange();
    request.Clear();
    request.set_action(api::WRITE);
    for (std::size_t offset = 0; offset < total; offset += message) {
      request.set_offset(static_cast<std::int64_t>(offset));
      request.set_data(data.data() + offset % kMiB, std::min(message, total - offset));
      exchange();
    }
    request.Clear();
    request.set_action(api::COMMIT);
    request.set_offset(static_cast<std::int64_t>(total));
    request.set_total(static_cast<std::int64_t>(total));
    (*request.mutable_labels())["containerd.io/gc.root"] = "bench";  // So that containerd keeps it.
    exchange();
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    check(stream->Finish(), "Write");
    return response.digest();
  }

  bool exists(const std::string& digest) {
    grpc::ClientContext context;
    prepare(context);
    api::InfoRequest request;
    request.set_digest(digest);
    api::InfoResponse response;
    return stub_->Info(&context, request, &response).ok();
  }

  void read(const std::string& digest, std::size_t message) {
    const auto total = options_.blob_mib * kMiB;
    api::ReadContentRequest request;
    api::ReadContentResponse response;
    request.set_digest(digest);
    request.set_size(static_cast<std::int64_t>(message));
    for (std::size_t offset = 0; offset < total; offset += message) {
      grpc::ClientContext context;
      prepare(context);
      request.set_offset(static_cast<std::int64_t>(offset));
      const auto stream = stub_->Read(&context, request);
      std::size_t got = 0;
      while (stream->Read(&response)) got += response.data().size();
      check(stream->Finish(), "Read");
      if (got != std::min(message, total - offset)) die(fmt::format("Read at {}: {} bytes", offset, got));
    }
  }

  void remove(const std::string& digest) {
    grpc::ClientContext context;
    prepare(context);
    api::DeleteContentRequest request;
    request.set_digest(digest);
    google::protobuf::Empty response;
    check(stub_->Delete(&context, request, &response), "Delete");
  }

 private:
  void prepare(grpc::ClientContext& context) const {
    context.set_wait_for_ready(true);
    if (!options_.name_space.empty()) context.AddMetadata("containerd-namespace", options_.name_space);
  }

  const Options& options_;
  std::unique_ptr<api::Content::Stub> stub_;
};

void bench_service(const Options& options) {
  Client client(options);
  constexpr unsigned kReadSeed = 7;
  paceline::Sha256 hash;
  const auto data = megabyte(kReadSeed);
  for (std::size_t i = 0; i < options.blob_mib; ++i) hash.update(data);
  const auto digest = hash.digest().to_string();
  if (!options.read.empty() && !client.exists(digest)) client.write(kReadSeed, kMiB);

  for (const auto message : options.read) {
    const auto begin = Clock::now();
    client.read(digest, message);
    report(options, "read", message, Clock::now() - begin);
  }
  for (const auto message : options.write) {
    const auto begin = Clock::now();
    const auto written = client.write(1000 + static_cast<unsigned>(options.rep), message);
    report(options, "write", message, Clock::now() - begin);
    client.remove(written);
  }
}

void bench_file(const Options& options) {
  const auto file = paceline::open_file(options.file, O_RDONLY);
  if (!file) die(file.error().to_string());
  for (const auto message : options.read) {
    std::string buffer(message, '\0');
    const auto begin = Clock::now();
    for (std::size_t offset = 0; offset < options.blob_mib * kMiB; offset += message) {
      const auto got = paceline::read_at(file->get(), std::as_writable_bytes(std::span(buffer)), offset);
      if (!got || *got != message) die("cannot read " + options.file);
    }
    report(options, "read", message, Clock::now() - begin);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // The client is not what is measured, and containerd's is Go's: no bookkeeping of locks as Debian's abseil does it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app{"MB/s of a content service"};
  Options options;
  app.add_option("--system", options.system, "name in the first column")->required();
  app.add_option("--address", options.address, "socket of the service");
  app.add_option("--namespace", options.name_space, "containerd namespace to send");
  app.add_option("--file", options.file, "read this file directly instead");
  app.add_option("--read", options.read, "bytes per Read RPC");
  app.add_option("--write", options.write, "bytes per Write message, up to 1 MiB")->check(CLI::Range(1UL, kMiB));
  app.add_option("--blob-mib", options.blob_mib, "size of the blob");
  app.add_option("--rep", options.rep, "number of this repetition");
  CLI11_PARSE(app, argc, argv);
  if (options.file.empty() == options.address.empty()) die("give either --address or --file");
  if (options.file.empty()) {
    bench_service(options);
  } else {
    bench_file(options);
  }
  return 0;
}
