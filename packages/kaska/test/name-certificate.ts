/**
 * A key and its certificate for the name `broker.kaska.test` alone, for no address, signed by itself and valid
 * for a hundred years: for tests of TLS and for nothing else. Everybody knows the key.
 */
export const name = 'broker.kaska.test'

export const certificate = `-----BEGIN CERTIFICATE-----
MIIBrTCCAVOgAwIBAgIUP6sm/3zPiS82kyI42aHmKu6uPO4wCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYnJva2VyLmthc2thLnRlc3QwIBcNMjYxMTIyMDQxNzAwWhgP
MjEyNjEwMjkwNDE3MDBaMBwxGjAYBgNVBAMMEWJyb2tlci5rYXNrYS50ZXN0MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+R2LEkaUfZHl18muwLvJffxf6857YWE1
37nMRSLE7SiKbjGWNN1+iV8gsGZBb+4Qb9FBfkPqmPHoSayR2LtEFaNxMG8wHQYD
VR0OBBYEFHYs52JxA1R5ygITNfkS8DcDd8n4MB8GA1UdIwQYMBaAFHYs52JxA1R5
ygITNfkS8DcDd8n4MA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRYnJva2Vy
Lmthc2thLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIhANI5am6is+NgMe4STB/IKXnb
nPpvKXYiA7fW++i5qqzqAiB2Q4P6LVJ/9+LQYI5hHy1QGPYs0ttnylBKJFZaMhhO
Kg==
-----END CERTIFICATE-----
`

export const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgB+CjgKSn/DfrN7UY
jPdoLH1aATxqC4eTT822JcNTJY+hRANCAAT5HYsSRpR9keXXya7Au8l9/F/rznth
YTXfucxFIsTtKIpuMZY03X6JXyCwZkFv7hBv0UF+Q+qY8ehJrJHYu0QV
-----END PRIVATE KEY-----
`
