#include "plugin/unpack/unpack.h"

#include "plugin/base/cpu_clock.h"
#include "plugin/unpack/decoder.h"
#include "plugin/unpack/layer_stream.h"
#include "plugin/unpack/layer_writer.h"
#include "plugin/unpack/tar_reader.h"

namespace paceline::unpack {
namespace {

class Working {
 public:
  explicit Working(const Turn& turn) : turn_(turn) { turn_.enter(); }
  ~Working() { turn_.leave(); }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

 private:
  const Turn& turn_;
};

/// Lets others work while the source waits for bytes.
class YieldingSource final : public LayerSource {
 public:
  YieldingSource(LayerSource& source, const Turn& turn) : source_(source), turn_(turn) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (source_.is_ready(offset)) return source_.read(offset, buffer);
    turn_.leave();
    auto count = source_.read(offset, buffer);
    turn_.enter();
    return count;
  }

 private:
  LayerSource& source_;
  const Turn& turn_;
};

Result<std::uint64_t> write_entries(LayerStream& stream, LayerWriter& writer, const Limits& limits) {
  TarReader reader(stream);
  TarEntry entry;
  // What an entry costs is a file; one that implies folders costs as many more.
  for (std::uint64_t entries = 0;; ++entries) {
    auto more = reader.next(entry);
    if (!more) return fail(more.error().context("after " + std::to_string(entries) + " entries"));
    if (!*more) return entries;
    if (entries + writer.folders_made() >= limits.entries) {
      return fail(Code::kResourceExhausted, "the layer has more than " + std::to_string(limits.entries) +
                                                " entries and folders that they imply, the limit");
    }
    auto status = writer.apply(entry, reader);
    if (!status) return fail(status.error().context("entry " + printable(entry.header.name)));
  }
}

}  // namespace

Result<UnpackedLayer> unpack_layer(LayerSource& source, std::string_view media_type,
                                   const std::optional<Digest>& expected, int directory, const Options& options) {
  const Turn turn(options.slots, options.rank);
  const Working working(turn);
  const Duration before = thread_cpu_time();
  YieldingSource yielding(source, turn);
  auto decoder = open_decoder(yielding, media_type);
  if (!decoder) return fail(decoder.error());
  LayerStream stream(std::move(*decoder), options.limits, options.buffer_bytes, turn);
  LayerWriter writer(directory, {options.bottom, options.device_nodes, options.limits.bytes});

  UnpackedLayer layer;
  auto entries = write_entries(stream, writer, options.limits);
  if (!entries) return fail(entries.error());
  layer.entries = *entries;
  auto diff_id = stream.finish();
  if (!diff_id) return fail(diff_id.error());
  layer.diff_id = *diff_id;
  layer.bytes = stream.bytes();
  if (expected && *expected != layer.diff_id) {
    return fail(Code::kFailedPrecondition, "the layer's diffID is " + layer.diff_id.to_string() +
                                               ", but the image's config says " + expected->to_string());
  }
  if (auto status = writer.finish(); !status) return fail(status.error());
  layer.inflate_cpu = stream.cpu();
  layer.write_cpu = thread_cpu_time() - before - stream.own_cpu();
  layer.unfinished = writer.take_unfinished();
  return layer;
}

}  // namespace paceline::unpack
