#include "identity.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "test.h"

static void add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    EXPECT(extension && X509_add_ext(x, extension, -1) == 1, "%s", value);
    X509_EXTENSION_free(extension);
}

static bool write_files(struct identity *id, X509 *x, EVP_PKEY *key)
{
    FILE *c = fopen(id->certificate, "w"), *k = fopen(id->key, "w");
    bool ok = c && k && PEM_write_X509(c, x) == 1 &&
              PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (c)
        fclose(c);
    if (k)
        fclose(k);
    return ok && chmod(id->key, 0600) == 0;
}

static bool make_with(struct identity *id, const char *dir, const char *who, const char *names,
                      EVP_PKEY *key)
{
    X509 *x = X509_new();

    snprintf(id->certificate, sizeof id->certificate, "%s/%s.pem", dir, who);
    snprintf(id->key, sizeof id->key, "%s/%s.key", dir, who);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)who, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_subject_alt_name, names);
    bool ok = X509_sign(x, key, EVP_sha256()) > 0 && write_files(id, x, key);
    X509_free(x);
    EVP_PKEY_free(key);
    EXPECT(ok, "make certificate");
    return ok;
}

bool make_identity(struct identity *id, const char *dir, const char *who, const char *names)
{
    return make_with(id, dir, who, names, EVP_EC_gen("P-256"));
}

bool make_rsa_identity(struct identity *id, const char *dir, const char *who, const char *names)
{
    return make_with(id, dir, who, names, EVP_RSA_gen(2048));
}
