// A Python extension that needs a compiler, Python's headers and OpenSSL's to be built, and none of them to run.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <openssl/evp.h>

static PyObject* sha256(PyObject* self, PyObject* arguments) {
  (void)self;
  const char* data;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(arguments, "y#", &data, &size)) return NULL;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(data, (size_t)size, digest, &length, EVP_sha256(), NULL) != 1) {
    PyErr_SetString(PyExc_RuntimeError, "SHA-256 failed");
    return NULL;
  }
  return PyBytes_FromStringAndSize((const char*)digest, length);
}

static PyMethodDef methods[] = {{"sha256", sha256, METH_VARARGS, "SHA-256 of bytes."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "sign", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_sign(void) { return PyModule_Create(&module); }
