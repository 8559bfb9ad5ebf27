/* test_messages_data.c -- every message of datasets, batches, loaders, texts and vocabularies. */
#include "tests/messages.h"
#include "tests/scratch.h"

static const float numbers[24];

static tl_array array(int64_t a, int64_t b)
{
    return tl_array_f32(tl_shape2(a, b), numbers);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static int resize(tl_array *a, tl_dtype dtype, tl_shape shape)
{
    int code = tl_array_resize(a, dtype, shape);
    tl_array_close(a);
    return code;
}

RETURNS(resize_shape, resize(&(tl_array){0}, TL_F32, tl_shape1(-1)))
RETURNS(resize_dtype, resize(&(tl_array){0}, (tl_dtype)9, tl_shape1(2)))
RETURNS(resize_nothing, tl_array_resize(NULL, TL_F32, tl_shape1(2)))
RECORDS(input_dtype, tl_array a = array(2, 3); a.dtype = (tl_dtype)9; tl_array_input(tape, &a))
RECORDS(input_empty, tl_array_input(tape, NULL))
RECORDS(borrow_empty, tl_array_borrow(tape, &(tl_array){0}))

/* ---- datasets -------------------------------------------------------------------------------- */

static int arrays(const tl_array *x, const tl_array *y, tl_err *err)
{
    tl_dataset d;
    return tl_dataset_arrays(&d, x, y, err);
}

static int arrays_of(tl_array x, tl_array y, tl_err *err)
{
    return arrays(&x, &y, err);
}

RETURNS(arrays_nowhere, tl_dataset_arrays(NULL, NULL, NULL, err))
RETURNS(arrays_none, arrays(NULL, NULL, err))
RETURNS(arrays_scalar, arrays_of(tl_array_f32(tl_shape0(), numbers), array(2, 3), err))
RETURNS(arrays_no_data, arrays_of(tl_array_f32(tl_shape1(3), NULL), array(2, 3), err))
RETURNS(arrays_counts, arrays_of(array(4, 3), array(3, 2), err))

static int sequences(int64_t n, const int64_t *length, tl_err *err)
{
    const tl_array x = array(6, 2);
    tl_dataset d;
    return tl_dataset_sequences(&d, n, length, &x, NULL, 0, err);
}

static const int64_t lengths[] = {4, -1}, short_lengths[] = {2, 3}, good_lengths[] = {2, 4};

RETURNS(sequences_count, sequences(-2, lengths, err))
RETURNS(sequences_length, sequences(2, lengths, err))
RETURNS(sequences_sum, sequences(2, short_lengths, err))

static int windows(int64_t T, int64_t ahead, int64_t stride, tl_err *err)
{
    const tl_array series = array(6, 2);
    tl_dataset d;
    return tl_dataset_windows(&d, &series, T, ahead, stride, err);
}

RETURNS(windows_stride, windows(3, 1, 0, err))
RETURNS(windows_none, windows(5, 2, 1, err))

/* a_dataset -- 6 items [2]; or, of sequences, two of 2 and 4 steps. */
static tl_dataset a_dataset(int of_sequences)
{
    const tl_array x = array(6, 2);
    tl_dataset d;
    int code = of_sequences ? tl_dataset_sequences(&d, 2, good_lengths, &x, NULL, 0, NULL)
                            : tl_dataset_arrays(&d, &x, NULL, NULL);
    cr_assert_eq(code, TL_OK);
    return d;
}

static int subset_none(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_dataset d;
    return tl_dataset_subset(&d, NULL, 0, NULL, err);
}

static int subset_index(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const int64_t index[] = {0, 6};
    tl_dataset base = a_dataset(0), d;
    int code = tl_dataset_subset(&d, &base, 2, index, err);
    tl_dataset_close(&base);
    return code;
}

/* ---- batches --------------------------------------------------------------------------------- */

static int items_of(const tl_dataset *d, const tl_items_opts *o, tl_err *err)
{
    cr_expect_null(tl_batches_of_items(d, o, err));
    return err->code;
}

static int items_with(int64_t batch, int drop_last, tl_err *err)
{
    tl_dataset d = a_dataset(0);
    tl_items_opts o = tl_items_defaults();
    o.batch = batch;
    o.drop_last = drop_last;
    int code = items_of(&d, &o, err);
    tl_dataset_close(&d);
    return code;
}

RETURNS(items_none, items_of(NULL, NULL, err))
RETURNS(items_batch, items_with(0, 0, err))
RETURNS(items_too_few, items_with(7, 1, err))

static int broken_item(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                       tl_err *err)
{
    (void)user, (void)seed, (void)length, (void)x, (void)y;
    err->code = TL_EIO;
    snprintf(err->message, sizeof err->message, "image %d cannot be read", (int)i);
    return TL_EIO;
}

static int mute_item(void *user, int64_t i, uint64_t seed, int64_t length, void *x, void *y,
                     tl_err *err)
{
    (void)user, (void)i, (void)seed, (void)length, (void)x, (void)y, (void)err;
    return TL_EIO;
}

static int64_t broken_length(void *user, int64_t i, uint64_t seed, tl_err *err)
{
    (void)user, (void)i, (void)seed, (void)err;
    return TL_EIO;
}

/* own -- a dataset of the user's of 3 items [2]. */
static tl_dataset own(void)
{
    tl_dataset d = {.count = 3, .get = broken_item};
    d.x = (tl_field){TL_F32, tl_shape1(2), 0};
    return d;
}

static int items_shape(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_dataset d = own();
    d.x.shape.rank = TL_MAX_RANK;
    return items_of(&d, NULL, err);
}

static int items_per_step(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_dataset d = own();
    d.has_y = d.y.per_step = 1;
    return items_of(&d, NULL, err);
}

/* make_at -- what making a batch of d at this place says. */
static int make_at(const tl_dataset *d, tl_place place, const tl_items_opts *o, tl_err *err)
{
    tl_batches *b = tl_batches_of_items(d, o, err);
    tl_batch batch = {0};
    int code = tl_batches_make(b, place, &batch, err);
    tl_batch_close(&batch);
    tl_batches_free(b);
    return code;
}

static int make_own(int (*get)(void *, int64_t, uint64_t, int64_t, void *, void *, tl_err *),
                    int64_t (*length)(void *, int64_t, uint64_t, tl_err *), int64_t index,
                    tl_err *err)
{
    tl_dataset d = own();
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    d.get = get;
    d.length = length;
    return make_at(&d, (tl_place){0, 0, index}, &o, err);
}

RETURNS(make_item, make_own(broken_item, NULL, 0, err))
RETURNS(make_item_mute, make_own(mute_item, NULL, 0, err))
RETURNS(make_item_length, make_own(broken_item, broken_length, 0, err))
RETURNS(make_place, make_own(broken_item, NULL, 1, err))
RETURNS(make_none, tl_batches_make(NULL, (tl_place){0}, &(tl_batch){0}, err))
RETURNS(batch_items_count, tl_batch_items(&(tl_batch){0}, -1))

RETURNS(batch_items_nowhere, tl_batch_items(NULL, 1))

static int never(const tl_batches *b, tl_place place, tl_batch *batch, tl_err *err)
{
    (void)b, (void)place, (void)batch, (void)err;
    return TL_OK;
}

RETURNS(make_nowhere,
        tl_batches_make(&(tl_batches){.count = 1, .make = never}, (tl_place){0}, NULL, err))

static int make_long_item(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_dataset d = a_dataset(1);
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    o.steps = 3;
    int code = make_at(&d, (tl_place){0}, &o, err);
    tl_dataset_close(&d);
    return code;
}

static int place_of(const char *key, const char *value, tl_err *err)
{
    tl_meta *meta = tl_meta_new();
    tl_meta_set(meta, "data", value);
    tl_place place;
    int code = tl_place_load(&place, meta, key, err);
    tl_meta_free(meta);
    return code;
}

RETURNS(place_missing, place_of("place", "1 2 3", err))
RETURNS(place_text, place_of("data", "1 2", err))

/* ---- streams and splits ---------------------------------------------------------------------- */

static int stream_of(int64_t count, int64_t batch, tl_err *err)
{
    static const int32_t ids[20];
    tl_stream_opts o = tl_stream_defaults();
    o.batch = batch;
    o.steps = 5;
    cr_expect_null(tl_batches_of_stream((tl_stream){ids, count}, &o, err));
    return err->code;
}

RETURNS(stream_batch, stream_of(20, 0, err))
RETURNS(stream_short, stream_of(20, 4, err))

static int split(int64_t n, int parts, double first, int64_t *order, tl_err *err)
{
    const double fraction[] = {first, 0.3};
    int64_t start[3];
    return tl_split(1, n, parts, fraction, order, start, err);
}

static int64_t order[10];

RETURNS(split_parts, split(10, 0, 0.5, order, err))
RETURNS(split_fraction, split(10, 2, 1.5, order, err))
RETURNS(split_sum, split(10, 2, 0.8, order, err))
RETURNS(split_empty, split(1, 2, 0.7, order, err))
RETURNS(split_no_order, split(10, 2, 0.7, NULL, err))

/* ---- loaders --------------------------------------------------------------------------------- */

static int loader_with(int workers, int64_t index, tl_err *err)
{
    tl_dataset d = own();
    tl_batches *b = tl_batches_of_items(&d, NULL, err);
    tl_loader_opts o = tl_loader_defaults();
    o.workers = workers;
    o.start.index = index;
    cr_expect_null(tl_loader_new(b, &o, err));
    tl_batches_free(b);
    return err->code;
}

RETURNS(loader_workers, loader_with(1000, 0, err))
RETURNS(loader_start, loader_with(1, 3, err))
RETURNS(loader_no_next, tl_loader_next(NULL, &(const tl_batch *){NULL}, err))
RETURNS(loader_no_seek, tl_loader_seek(NULL, (tl_place){0}, err))

static int loader_item(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_dataset d = own();
    tl_items_opts o = tl_items_defaults();
    o.shuffle = 0;
    tl_batches *b = tl_batches_of_items(&d, &o, err);
    tl_loader *l = tl_loader_new(b, NULL, err);
    const tl_batch *batch;
    int code = tl_loader_next(l, &batch, err);
    cr_expect_null(batch);
    tl_loader_free(l);
    tl_batches_free(b);
    return code;
}

/* ---- texts and vocabularies ------------------------------------------------------------------ */

static tl_vocab *abc(void)
{
    static const uint32_t code[] = {'a', 'b', 'c'};
    return tl_vocab_of_codes(TL_CHARS, 0, 3, code, NULL);
}

static int text_of(const char *text, size_t size, tl_err *err)
{
    tl_vocab *v = abc();
    cr_expect_null(tl_text_new(text, size, v, NULL, err));
    tl_vocab_free(v);
    return err->code;
}

RETURNS(text_empty, text_of("", 0, err))
RETURNS(text_unknown, text_of("abd", 3, err))
RETURNS(text_utf8, text_of("ab\xff", 3, err))
RETURNS(text_split_none, tl_text_split(NULL, 1, NULL, NULL, err))
MAKES(text_missing, tl_text_load(scratch_path("none"), NULL, NULL, err))

static int text_split_short(tl_tape *tape, tl_err *err)
{
    (void)tape;
    const double fraction[] = {0.9, 0.1};
    tl_stream part[2];
    tl_text *t = tl_text_new("abcabcabc", 9, NULL, NULL, err);
    int code = tl_text_split(t, 2, fraction, part, err);
    tl_text_free(t);
    return code;
}

static const char *file_with(const char *text, size_t size)
{
    const char *path = scratch_path("f");
    scratch_write(path, text, size);
    return path;
}

MAKES(text_file_utf8, tl_text_load(file_with("caf\xe9", 4), NULL, NULL, err))

static int vocab_codes(tl_symbols symbols, int32_t n, uint32_t last, tl_err *err)
{
    const uint32_t code[] = {'a', last};
    cr_expect_null(tl_vocab_of_codes(symbols, 0, n, code, err));
    return err->code;
}

RETURNS(vocab_none, vocab_codes(TL_CHARS, 0, 'b', err))
RETURNS(vocab_byte, vocab_codes(TL_BYTES, 2, 256, err))
RETURNS(vocab_char, vocab_codes(TL_CHARS, 2, 0x110000, err))
RETURNS(vocab_twice, vocab_codes(TL_CHARS, 2, 'a', err))
MAKES(vocab_no_text, tl_vocab_of_text(NULL, 3, NULL, err))

static int vocab_rare(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_vocab_opts o = tl_vocab_defaults();
    o.min_count = 2;
    cr_expect_null(tl_vocab_of_text("abc", 3, &o, err));
    return err->code;
}

static int encode(tl_tape *tape, tl_err *err)
{
    (void)tape;
    int32_t ids[2];
    tl_vocab *v = abc();
    int code = (int)tl_vocab_encode(v, "abc", 3, ids, 2, err);
    tl_vocab_free(v);
    return code;
}

RETURNS(encode_no_vocab, (int)tl_vocab_encode(NULL, "abc", 3, NULL, 0, err))
RETURNS(decode_nothing, (int)tl_vocab_decode(NULL, 2, NULL, NULL, 0))
MAKES(parse_other, tl_vocab_parse("hello", err))
MAKES(parse_damaged, tl_vocab_parse("tapeloop-vocabulary 1 chars 0 3 97 98", err))
MAKES(parse_file, tl_vocab_load(file_with("hello", 5), err))
MAKES(parse_zero, tl_vocab_load(file_with("tape\0loop", 9), err))
RETURNS(save_no_vocab, tl_vocab_save(NULL, scratch_path("g"), err))

static int save_nowhere(tl_tape *tape, tl_err *err)
{
    (void)tape;
    tl_vocab *v = abc();
    int code = tl_vocab_save(v, scratch_path("none/g"), err);
    tl_vocab_free(v);
    return code;
}

static const row rows[] = {
    ROW(resize_shape, ESHAPE, "tl_array_resize: invalid shape [-1]"),
    ROW(resize_nothing, EINVAL, "tl_array_resize: no array (NULL)"),
    ROW(resize_dtype, EDTYPE, "tl_array_resize: got element type 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(input_dtype, EDTYPE, "input: got element type 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(input_empty, EINVAL, "tl_array_input: the array is empty"),
    ROW(borrow_empty, EINVAL, "tl_array_borrow: the array is empty"),
    ROW(arrays_none, EINVAL, "dataset: no x"),
    ROW(arrays_nowhere, EINVAL, "dataset: none to fill (NULL)"),
    ROW(arrays_scalar, ESHAPE, "dataset: x is [], want a leading axis of items"),
    ROW(arrays_no_data, EINVAL, "dataset: x has no data"),
    ROW(arrays_counts, ESHAPE, "dataset: y is [3,2], want 4 along its first axis"),
    ROW(sequences_count, EINVAL, "dataset: got -2 sequences, want 0 or more and their lengths"),
    ROW(sequences_length, ERANGE, "dataset: length[1] is -1, want 0 or more and a sum below 2^63"),
    ROW(sequences_sum, ESHAPE, "dataset: x is [6,2], want 5 along its first axis"),
    ROW(windows_stride, EINVAL,
        "windows: got T 3, ahead 1, stride 0; want T, stride 1 or more, ahead 0 or more"),
    ROW(windows_none, ERANGE,
        "windows: a series of 6 steps has no window of 5 with a target 2 ahead"),
    ROW(subset_none, EINVAL, "subset: needs a dataset and the numbers of its items"),
    ROW(subset_index, ERANGE, "subset: index[1] is 6, the dataset has 6 items"),
    ROW(items_none, EINVAL, "items: the dataset is empty, or has no get"),
    ROW(items_batch, EINVAL, "items: got batch 0, steps 0; want batch 1 or more, steps 0 or more"),
    ROW(items_too_few, ERANGE, "items: 6 items do not fill one batch of 7"),
    ROW(items_shape, ESHAPE,
        "items: got items of x [2,0,0,0,0,0,0,0], y none, want valid shapes of at most 7 axes"),
    ROW(items_per_step, EINVAL, "items: a target for each step wants items with a length"),
    ROW(make_item, EIO, "batch 0 of epoch 0: item 0: image 0 cannot be read"),
    ROW(make_item_mute, EIO, "batch 0 of epoch 0: item 0: input or output failed"),
    ROW(make_item_length, EIO, "batch 0 of epoch 0: item 0: its length: input or output failed"),
    ROW(make_place, ERANGE, "batch 1 of epoch 0: want batch in [0,1), epoch 0 or more"),
    ROW(make_none, EINVAL, "batches: got none, or some without make or count"),
    ROW(batch_items_count, EINVAL, "tl_batch_items: got -1 items, want 0 to 4294967295"),
    ROW(batch_items_nowhere, EINVAL, "tl_batch_items: no batch (NULL)"),
    ROW(make_nowhere, EINVAL, "tl_batches_make: no batch to fill (NULL)"),
    ROW(make_long_item, ERANGE, "batch 0 of epoch 0: item 1: has 4 steps, at most 3 fit"),
    ROW(place_missing, ENAME, "the metadata have no \"place\""),
    ROW(place_text, EFORMAT, "metadata \"data\" is \"1 2\", want \"seed epoch index\""),
    ROW(stream_batch, EINVAL, "stream: got batch 0, steps 5; want both 1 or more"),
    ROW(stream_short, ERANGE, "stream: 20 symbols do not fill one batch of 4 rows and 5 steps"),
    ROW(split_parts, EINVAL,
        "split: got 10 items, 0 parts; want at least one part and an array of fractions"),
    ROW(split_fraction, EINVAL, "split: fraction 0 is 1.5, want above 0, at most 1"),
    ROW(split_sum, EINVAL, "split: the fractions sum to 1.1, at most 1 is possible"),
    ROW(split_empty, ERANGE, "split: part 1 (fraction 0.3) of 1 items has 0, want at least 1"),
    ROW(split_no_order, EINVAL, "split: no array for the order"),
    ROW(loader_workers, EINVAL, "loader: got 1000 workers, prefetch 4; want 0..256 and 0..4096"),
    ROW(loader_start, ERANGE, "batch 3 of epoch 0: want batch in [0,1), epoch 0 or more"),
    ROW(loader_no_next, EINVAL, "tl_loader_next: no loader (NULL)"),
    ROW(loader_no_seek, EINVAL, "tl_loader_seek: no loader (NULL)"),
    ROW(loader_item, EIO, "batch 0 of epoch 0: item 0: image 0 cannot be read"),
    ROW(text_empty, ERANGE, "the text is empty"),
    ROW(text_unknown, ENAME, "byte offset 2: symbol d (code 100) is not in the vocabulary of 3"),
    ROW(text_utf8, EFORMAT, "byte offset 2: 0xFF does not begin a valid UTF-8 character"),
    ROW(text_split_none, EINVAL, "tl_text_split: needs a text and at least one part"),
    ROW(text_missing, EIO, "~/none: cannot be opened: No such file or directory"),
    ROW(text_split_short, ERANGE,
        "split: part 1 (fraction 0.1) of 9 symbols has 1, want at least 2"),
    ROW(text_file_utf8, EFORMAT, "~/f: byte offset 3: 0xE9 does not begin a valid UTF-8 character"),
    ROW(vocab_none, EINVAL, "vocabulary: got 0 symbols, want at least one"),
    ROW(vocab_byte, ERANGE, "vocabulary: symbol 1 has code 256, which is no byte"),
    ROW(vocab_char, ERANGE, "vocabulary: symbol 1 has code 1114112, which is no code point"),
    ROW(vocab_twice, ENAME, "vocabulary: symbols 0 and 1 have the same code 97"),
    ROW(vocab_no_text, EINVAL, "vocabulary: no text"),
    ROW(vocab_rare, EINVAL, "vocabulary: leaving out rare symbols wants an id for the unknown one"),
    ROW(encode, ERANGE, "tl_vocab_encode: the text has more than 2 symbols"),
    ROW(encode_no_vocab, EINVAL, "tl_vocab_encode: no vocabulary (NULL)"),
    ROW(decode_nothing, EINVAL, "tl_vocab_decode: got 2 ids (NULL), want 0 or more"),
    ROW(parse_other, EFORMAT, "not a vocabulary: want \"tapeloop-vocabulary 1 ...\""),
    ROW(parse_damaged, EFORMAT, "damaged vocabulary at character 37"),
    ROW(parse_file, EFORMAT, "~/f: not a vocabulary: want \"tapeloop-vocabulary 1 ...\""),
    ROW(parse_zero, EFORMAT, "~/f: not a vocabulary: has a zero byte"),
    ROW(save_no_vocab, EINVAL, "tl_vocab_save: no vocabulary (NULL)"),
    ROW(save_nowhere, EIO, "~/none/g: cannot be written: No such file or directory"),
};

static const left_out data_left_out[] = {
    {"could start only %d of %d workers", "needs a system that refuses threads"},
    {"no room for %s %s", "memory: the shape was checked before"},
};

Test(messages_data, say_what_came_and_what_was_wanted)
{
    scratch_open();
    walk_rows(COUNT(rows), rows);
    scratch_close();
}

Test(messages_data, no_message_without_a_row)
{
    scratch_open();
    walk_rows(COUNT(rows), rows);
    scratch_close();
    check_sources("data", 0, NULL, COUNT(data_left_out), data_left_out);
}
