/* init.c -- the rules, and how a parameter's blocks are filled by them. */
#include "nn/init.h"

#include "core/memory.h"
#include "core/random.h"

#include <math.h>

static tl_rng numbers(const tl_init_site *site)
{
    tl_rng r = {site->seed, site->stream, 0};
    return r;
}

static void fill_constant(double a, double b, const tl_init_site *site, double *out)
{
    (void)b;
    for (int64_t i = 0; i < site->rows * site->cols; i++)
        out[i] = a;
}

static void fill_uniform(double low, double high, const tl_init_site *site, double *out)
{
    tl_rng r = numbers(site);
    for (int64_t i = 0; i < site->rows * site->cols; i++)
        out[i] = low + (high - low) * tl__rng_uniform(&r);
}

static void fill_normal(double mean, double deviation, const tl_init_site *site, double *out)
{
    tl_rng r = numbers(site);
    for (int64_t i = 0; i < site->rows * site->cols; i++)
        out[i] = mean + deviation * tl__rng_normal(&r);
}

/* 1 for a fan of nothing, so that no rule divides by zero. */
static double fan(int64_t n)
{
    return n > 0 ? (double)n : 1.0;
}

static void fill_glorot_uniform(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    double limit = sqrt(6.0 / fan(site->fan_in + site->fan_out));
    fill_uniform(-limit, limit, site, out);
}

static void fill_glorot_normal(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    fill_normal(0, sqrt(2.0 / fan(site->fan_in + site->fan_out)), site, out);
}

static void fill_he_uniform(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    double limit = sqrt(6.0 / fan(site->fan_in));
    fill_uniform(-limit, limit, site, out);
}

static void fill_he_normal(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    fill_normal(0, sqrt(2.0 / fan(site->fan_in)), site, out);
}

static void fill_fan_in(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    double limit = 1.0 / sqrt(fan(site->fan_in));
    fill_uniform(-limit, limit, site, out);
}

static void fill_recurrent(double a, double b, const tl_init_site *site, double *out)
{
    (void)a, (void)b;
    double limit = 1.0 / sqrt(fan(site->hidden));
    fill_uniform(-limit, limit, site, out);
}

/* Gram-Schmidt on the rows (on the columns, if there are more rows than columns), each vector made
 * orthogonal twice: once leaves an error of condition times epsilon, twice leaves epsilon. R's
 * diagonal is positive by construction, so Q is uniform among the orthogonal matrices. */
static void fill_orthogonal(double gain, double b, const tl_init_site *site, double *out)
{
    (void)b;
    fill_normal(0, 1, site, out);
    int wide = site->rows <= site->cols;
    int64_t n = wide ? site->rows : site->cols, length = wide ? site->cols : site->rows;
    int64_t next = wide ? site->cols : 1, along = wide ? 1 : site->cols;

    for (int64_t i = 0; i < n; i++) {
        double *v = out + i * next, square = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t j = 0; j < i; j++) {
                const double *u = out + j * next;
                double dot = 0;
                for (int64_t k = 0; k < length; k++)
                    dot += u[k * along] * v[k * along];
                for (int64_t k = 0; k < length; k++)
                    v[k * along] -= dot * u[k * along];
            }
        }
        for (int64_t k = 0; k < length; k++)
            square += v[k * along] * v[k * along];
        for (int64_t k = 0; k < length; k++)
            v[k * along] /= sqrt(square);
    }
    for (int64_t i = 0; i < site->rows * site->cols; i++)
        out[i] *= gain;
}

static tl_init rule(void (*fill)(double, double, const tl_init_site *, double *), double a,
                    double b)
{
    tl_init init = {fill, a, b, 0, 0};
    return init;
}

tl_init tl_init_constant(double value)
{
    return rule(fill_constant, value, 0);
}

tl_init tl_init_uniform(double low, double high)
{
    return rule(fill_uniform, low, high);
}

tl_init tl_init_normal(double mean, double deviation)
{
    return rule(fill_normal, mean, deviation);
}

tl_init tl_init_glorot_uniform(void)
{
    return rule(fill_glorot_uniform, 0, 0);
}

tl_init tl_init_glorot_normal(void)
{
    return rule(fill_glorot_normal, 0, 0);
}

tl_init tl_init_he_uniform(void)
{
    return rule(fill_he_uniform, 0, 0);
}

tl_init tl_init_he_normal(void)
{
    return rule(fill_he_normal, 0, 0);
}

tl_init tl_init_orthogonal(double gain)
{
    return rule(fill_orthogonal, gain, 0);
}

tl_init tl_init_fan_in(void)
{
    return rule(fill_fan_in, 0, 0);
}

tl_init tl_init_recurrent(void)
{
    return rule(fill_recurrent, 0, 0);
}

tl_init tl_init_plus(tl_init base, int block, double value)
{
    base.block = block;
    base.plus = value;
    return base;
}

/* FNV-1a: the same name gives the same stream on every machine. */
static uint64_t stream_of(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash;
}

int tl_param_init(tl_param *p, tl_init init, uint64_t seed, int blocks, int64_t hidden,
                  int64_t fan_in, tl_err *err)
{
    if (!p || !init.fill)
        return tl__fail(err, TL_EINVAL, "init: got no %s", p ? "rule" : "parameter");
    tl_shape s = tl_param_shape(p);
    int64_t count = tl_shape_count(s), first = s.rank ? s.dim[0] : 1;
    if (blocks < 1 || first % blocks || init.block < 0 || init.block >= blocks)
        return tl__fail(err, TL_EINVAL,
                        "init of %s: got %d blocks and a value added to block %d, want a divisor "
                        "of %lld and a block below it",
                        tl_param_name(p), blocks, init.block, (long long)first);

    tl_init_site site = {seed, 0, first / blocks, 1, 0, 0, 0};
    for (int a = 1; a < s.rank; a++)
        site.cols *= s.dim[a];
    site.fan_in = fan_in > 0 ? fan_in : site.cols;
    site.fan_out = site.rows;
    site.hidden = hidden > 0 ? hidden : site.fan_in;

    size_t size;
    if (count < 0 || tl__mul_size((size_t)count, sizeof(double), &size) != TL_OK)
        return tl__fail(err, TL_ENOMEM, "init of %s: too large", tl_param_name(p));
    double *values = tl__alloc(size);
    if (!values)
        return tl__fail(err, TL_ENOMEM, "init of %s: out of memory", tl_param_name(p));

    int64_t each = site.rows * site.cols;
    for (int k = 0; k < blocks && each > 0; k++) {
        double *block = values + k * each;
        site.stream = stream_of(tl_param_name(p)) + (uint64_t)k * 0x9E3779B97F4A7C15u;
        init.fill(init.a, init.b, &site, block);
        for (int64_t i = 0; k == init.block && i < each; i++)
            block[i] += init.plus;
    }
    int64_t bad = 0;
    while (bad < count && !isnan(values[bad]))
        bad++;
    int code = bad < count ? TL_ERANGE : tl_param_set_f64(p, values, count);
    tl__free(values);
    if (code == TL_ERANGE)
        return tl__fail(err, code, "init of %s: the rule, of %g and %g, made element %lld nan",
                        tl_param_name(p), init.a, init.b, (long long)bad);
    return code == TL_OK
               ? TL_OK
               : tl__fail(err, code, "init of %s: %s", tl_param_name(p), tl_strerror(code));
}
