"""A client certificate that has expired."""

import base64
from datetime import UTC, datetime


def expired_certificate() -> dict[str, str]:
    """The `user` of a kubeconfig with a certificate that ended on 2020-01-02."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2020, 1, 2, tzinfo=UTC)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = made.public_bytes(serialization.Encoding.PEM)
    return {"client-certificate-data": base64.b64encode(certificate).decode(), "client-key-data": base64.b64encode(private).decode()}
