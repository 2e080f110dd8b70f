// Images, as the SQL functions of the queue return and take them. PostgreSQL zone; everything is
// allocated in the current memory context.
#pragma once

#include "drain/queue.hpp"

#include "backend/bridge/postgres_api.hpp"
#include "backend/bridge/sql_values.hpp"

namespace imgpress {

Datum uuid_datum(const RequestId& id);

// The new status of an image or a delivery; `done` is its word for success.
const char* status_word(const Verdict& verdict, const char* done);

// Adds a row of claim_images() to the images.
void add_claimed(const Row& row, ClaimAnswer* answer);

// What came of an image, as finish_images() takes it: a value of the type outcome, and the bytes.
Datum outcome_of(TupleDesc descriptor, const FinishedImage& image);
Datum output_bytes_of(const FinishedImage& image);

void log_image(const FinishedImage& image);

}  // namespace imgpress
