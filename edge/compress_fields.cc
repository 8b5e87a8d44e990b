#include "edge/compress_fields.hh"

#include "core/conf/types.hh"
#include "core/http/encoding_field.hh"
#include "edge/media_types.hh"

namespace portolan::edge {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;

const conf::Table<compress::Levels>& level_fields() {
  static const conf::Table<compress::Levels> table{
      row("gzip", &compress::Levels::gzip, conf::integer<int>(1, 9), "Of gzip."),
      row("br", &compress::Levels::br, conf::integer<int>(0, 11), "Of brotli."),
      row("zstd", &compress::Levels::zstd, conf::integer<int>(1, 19), "Of zstd."),
  };
  return table;
}

const conf::Table<CompressConfig>& fields() {
  static const conf::Table<CompressConfig> table{
      row("codings", &CompressConfig::codings, http::codings_type(),
          "What clients may get; of those that a client takes equally well the first.")
          .otherwise("none: stored answers are sent as they came"),
      row("types", &CompressConfig::types, conf::list(media_type()), "The media types that get smaller by it."),
      row("min_size", &CompressConfig::min_bytes, conf::size<uint64_t>(0, 1ull << 30),
          "Smaller bodies are sent as they are."),
      row("max_size", &CompressConfig::max_bytes, conf::size<uint64_t>(1, 1ull << 30), "Larger bodies, too."),
      row("level", &CompressConfig::levels, conf::table(level_fields()),
          "How hard to try: higher is smaller and slower."),
  };
  return table;
}

}  // namespace

conf::Type<CompressConfig> compression() {
  conf::Type<CompressConfig> t = conf::table_or(fields(), &CompressConfig::codings, http::codings_type());
  t.read = [read = t.read](Binder& binder, const Value& value, CompressConfig& out) {
    if (!read(binder, value, out)) return false;
    if (out.min_bytes <= out.max_bytes) return true;
    binder.error(value.where, binder.subject() + " has a min_size above its max_size");
    return false;
  };
  return t;
}

}  // namespace portolan::edge
