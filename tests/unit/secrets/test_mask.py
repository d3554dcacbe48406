# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets whose values nobody knows: as frameworks, servers and shells print them, masked and still readable."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import (
    MASK,
    Redactor,
    mask_named,
    secret_values,
)

C = "CANARYx9"
#: In two pieces, since no file of the repository may look as if it held a key.
KEY = "OPENSSH " + "PRIVATE KEY"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.CANARYx9CANARYx9"

# name: (what a program prints, parts that have to be readable afterwards)
PRINTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "php var_export": (
        f"array ( 'user' => 'shop', 'password' => '{C}', 'port' => 3306 )",
        ("'user' => 'shop'", "3306"),
    ),
    "php var_export on lines": (
        f"array (\n  'password' => '{C}',\n  'host' => 'db',\n)",
        ("'password' => '", "'host' => 'db'"),
    ),
    "php print_r": (f"Array\n(\n    [password] => {C}\n    [host] => db\n)", ("[password] => ", "[host] => db")),
    "php print_r of an object": (f"[password:protected] => {C}\n [host] => db", ("[host] => db",)),
    "php print_r, private": (f"[secret:App\\Mail\\Sender:private] => {C}\n [host] => db", ("[host] => db",)),
    "php var_dump": (f'array(1) {{\n  ["password"]=>\n  string(8) "{C}"\n  ["a"]=> int(1) }}', ('["a"]=> int(1)',)),
    "php var_dump of an object": (f'["token":protected]=>\n  string(8) "{C}"', ('["token":protected]=>',)),
    "php trace": (f"PDO->__construct('mysql:host=db', password: '{C}') at Connector.php:65", ("Connector.php:65",)),
    "symfony dump": (f'#config: array:2 [ "host" => "db" "password" => "{C}" ]', ('"host" => "db"',)),
    "symfony dump of an object": (f'App\\Mail {{ -apiKey: "{C}" +host: "db" }}', ('+host: "db"',)),
    "symfony exception": (
        f'Malformed parameter "url" mysql://shop:{C}@db:3306/shop in Doctrine',
        ("mysql://shop:", "@db:3306/shop", "Doctrine"),
    ),
    "laravel log": (
        f'[2026-11-29 10:00:00] production.ERROR: login failed {{"email":"a@example.com","password":"{C}"}}',
        ("production.ERROR: login failed", '"email":"a@example.com"'),
    ),
    "laravel config dump": (f"'mailgun' => [ 'domain' => 'm.example.com', 'secret' => '{C}' ]", ("m.example.com",)),
    "laravel exception page": (
        f"<td>APP_KEY</td> APP_KEY=base64:{C}/{C}=\nAPP_ENV=production",
        ("APP_ENV=production",),
    ),
    "html of an error page": (f"&#039;password&#039; =&gt; &#039;{C}&#039;, &#039;host&#039;", ("&#039;host&#039;",)),
    "html in double marks": (f"{{&quot;token&quot;:&quot;{C}&quot;,&quot;a&quot;:1}}", ("&quot;a&quot;:1",)),
    "ruby hash": (f'{{:user=>"shop", :password=>"{C}", :host=>"db"}}', (':user=>"shop"', ':host=>"db"')),
    "ruby hash, new": (f'{{user: "shop", password: "{C}", host: "db"}}', ('host: "db"',)),
    "rails parameters": (f'Parameters: {{"session"=>{{"token"=>"{C}", "name"=>"a"}}}}', ('"name"=>"a"',)),
    "python dict": (f"{{'user': 'shop', 'password': '{C}', 'port': 5432}}", ("'user': 'shop'", "5432")),
    "python traceback": (
        f'  File "a.py", line 3\n    connect(host="db", password="{C}")',
        ('File "a.py"', 'host="db"'),
    ),
    "python bytes": (f"secret=b'{C}', mode=1", ("mode=1",)),
    "python pydantic": (
        f"Settings(name='shop', api_key=SecretStr('{C}'), debug=False)",
        ("name='shop'", "debug=False"),
    ),
    "django setting": (f"SECRET_KEY = 'django-{C}'\nDEBUG = True", ("DEBUG = True",)),
    "python subprocess": (
        f"Command '['pg', '--password', '{C}', '-h', 'db']' returned 1",
        ("returned 1", "'-h', 'db'"),
    ),
    "json": (f'{{"user": "shop", "api_key": "{C}", "n": 1}}', ('"user": "shop"', '"n": 1')),
    "json in json": (
        f'{{"body":"{{\\"password\\":\\"{C}\\",\\"user\\":\\"shop\\"}}","n":1}}',
        ('\\"user\\":\\"shop\\"', '"n":1'),
    ),
    "json in json in json": (f'\\\\\\"secret\\\\\\":\\\\\\"{C}\\\\\\",\\\\\\"n\\\\\\":1', ('\\\\\\"n\\\\\\":1',)),
    "json with an escaped mark": (f'{{"password":"a\\"{C}","n":1}}', ('"n":1',)),
    "json list": (f'{{"tokens_secret": ["{C}1", "{C}2"], "n": 1}}', ('"n": 1',)),
    "json map": (f'{{"credentials": {{"a": "{C}"}}, "n": 1}}', ('"n": 1',)),
    "yaml": (f"db:\n  password: {C} with words\n  host: db", ("password: ", "host: db")),
    "yaml with marks": (f"  password: '{C}'\n  host: db", ("host: db",)),
    "yaml list of settings": (f"    - DB_PASSWORD={C}\n    - A=1", ("- DB_PASSWORD=", "- A=1")),
    ".env": (f"DB_PASSWORD={C}&;x)y\nDB_HOST=db", ("DB_HOST=db",)),
    ".env with marks": (f'DB_PASSWORD="{C} #1" # the password\nDB_HOST=db', ("DB_HOST=db",)),
    "export": (f"export GITHUB_TOKEN={C}\nls", ("export GITHUB_TOKEN=", "ls")),
    "address": (f"could not connect to redis://:{C}@cache:6379/0: refused", ("redis://:", "@cache:6379/0: refused")),
    "address with a slash": (f"redis://:pa/{C}@r/0 refused", ("@r/0 refused",)),
    "address with an at sign": (f"amqp://u:p@{C}@h/v refused", ("amqp://u:", "@h/v refused")),
    "address of PHP in JSON": (f'"mysql:\\/\\/shop:{C}@db\\/shop"', ("@db",)),
    "address of git": (
        f"fatal: could not read https://x-access-token:{C}@github.com/a/b.git",
        ("@github.com/a/b.git",),
    ),
    "query": (f"GET /a?id=5&token={C}&page=2 HTTP/1.1", ("id=5", "&page=2 HTTP/1.1")),
    "signature": (f"GET /verify/5?expires=99&signature={C} 403", ("expires=99", "403")),
    "signature of Azure": (f"https://x.blob.example.com/a?sv=2020&sig={C}&se=1", ("sv=2020", "&se=1")),
    "query in percent": (f"GET /?next=%2Fa%3Ftoken%3D{C}%26page%3D2 200", ("page%3D2 200",)),
    "bearer": (f"> Authorization: Bearer {C}.x-y\n> Accept: */*", ("Authorization: Bearer ", "Accept: */*")),
    "basic": (f"authorization: Basic {C}==\naccept: */*", ("Basic ", "accept")),
    "token of Rails": (f'Authorization: Token token="{C}", nonce="1"\nHost: a', ("Host: a",)),
    "digest": (f'Authorization: Digest username="a", realm="b", response="{C}"\nHost: a', ("Digest ", "Host: a")),
    "signature of AWS": (f"Authorization: AWS4-HMAC-SHA256 Credential=A/{C}, Signature={C}\nHost: a", ("Host: a",)),
    "cookie": (f"Cookie: session={C}; theme=dark\nHost: a", ("Cookie: ", "Host: a")),
    "set-cookie": (f"Set-Cookie: laravel_session={C}; path=/\nHost: a", ("Host: a",)),
    "headers of node": (f"headers: {{ authorization: 'Bearer {C}', host: 'a' }}", ("host: 'a'",)),
    "x-api-key": (f"x-api-key: {C}\nhost: a", ("host: a",)),
    "mysql": (f"+ mysql -ushop -p{C} -h db shop < dump.sql", ("-ushop", "-h db shop < dump.sql")),
    "mysql with marks": (f'mysql -p"{C} x" -e "drop database shop"', ('-e "drop database shop"',)),
    "mysql with single marks": (f"mysql -p'{C}' -e 'select 1'", ("-e 'select 1'",)),
    "redis-cli": (f"redis-cli -a{C} -h cache flushall", ("-h cache flushall",)),
    "redis-cli with a gap": (f"redis-cli -h cache -a {C} ping", ("-h cache -a ", "ping")),
    "sshpass": (f"sshpass -p {C} ssh deploy@host uptime", ("ssh deploy@host uptime",)),
    "sshpass with marks": (f"sshpass -p '{C} y' ssh deploy@host uptime", ("ssh deploy@host uptime",)),
    "curl": (f"curl -u shop:{C} https://example.com/x", ("-u shop:", "https://example.com/x")),
    "curl with a header": (f'curl -H "Authorization: Bearer {C}" https://example.com/x', ("https://example.com/x",)),
    "curl with a private header": (f"curl -H 'X-Auth-Token: {C}' https://example.com/x", ("https://example.com/x",)),
    "an option": (f'pg_dump --password="{C} y" shop', ("pg_dump", "shop")),
    "an option with a gap": (f"deploy --token {C} --region eu", ("--region eu",)),
    "docker login": (f"docker login -u shop -p {C} ghcr.io", ("-u shop", "ghcr.io")),
    "openssl": (f"openssl pkcs12 -in a.p12 -passin pass:{C} -nodes", ("-in a.p12", "-nodes")),
    "sql": (f"CREATE USER 'shop'@'%' IDENTIFIED BY '{C}' REQUIRE SSL", ("'shop'@'%'", "REQUIRE SSL")),
    "sql of PostgreSQL": (f"ALTER ROLE shop WITH PASSWORD '{C}' LOGIN", ("ALTER ROLE shop", "LOGIN")),
    "redis.conf": (f"requirepass {C}\nport 6379", ("port 6379",)),
    "logfmt": (f"level=error msg=failed password={C} user=shop", ("level=error msg=failed", "user=shop")),
    "go struct": (f"dial: {{User:shop Password:{C} Host:db}}: refused", ("User:shop", "refused")),
    "go zap": (f'2026-11-29 ERROR dial {{"dsn": "postgres://a:{C}@db/x", "try": 1}}', ("@db/x", '"try": 1')),
    "node object": (f"{{ user: 'shop', clientSecret: '{C}', port: 1 }}", ("user: 'shop'", "port: 1")),
    "node template": (f"password: `{C}`, port: 1", ("port: 1",)),
    "java": (f"DataSource[url=jdbc:mysql://db/x, password={C}, pool=5]", ("jdbc:mysql://db/x", "pool=5]")),
    "java properties": (f"spring.datasource.password={C}\nserver.port=1", ("server.port=1",)),
    "docker inspect": (f'"Env": ["DB_PASSWORD={C};a b", "PATH=/bin"]', ('"PATH=/bin"',)),
    "docker inspect, a command": (
        f'"Cmd": ["redis-server", "--requirepass", "{C}", "--port", "1"]',
        ('"--port", "1"',),
    ),
    "a camel": (f"accessToken={C} refreshToken={C} ok", ("ok",)),
    "spelled in other ways": (f"passphrase={C} pwd={C} private_key={C} access_key={C} credential={C} ok", ("ok",)),
    "jwt": (f"rejected {JWT} of user 5", ("rejected", "of user 5")),
    "jwt in a path": (f"GET /login/{JWT} 404", ("GET /login/", "404")),
    "github": (f"remote: ghp_{C}{C}{C} is not allowed", ("remote:", "is not allowed")),
    "stripe": (f"No such key: sk_live_{C}{C}, request req_1", ("request req_1",)),
    "slack": (f"POST https://hooks.slack.com/services/T0/B0/{C} 404", ("hooks.slack.com/services/", "404")),
    "a key file": (
        f"-----BEGIN {KEY}-----\n{C}\n{C}\n-----END {KEY}-----\nnext",
        (f"BEGIN {KEY}", "next"),
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_secret_is_masked_and_the_rest_is_readable(name: str) -> None:
    text, readable = PRINTED[name]
    masked = mask_named(text)
    assert "CANARY" not in masked, masked
    assert MASK in masked
    assert [part for part in readable if part not in masked] == [], masked
    assert mask_named(masked).replace(MASK, "") == masked.replace(MASK, ""), "masked twice"


#: Nothing of these is a secret.
PLAIN = [
    "SQLSTATE[HY000] [1045] Access denied for user 'shop'@'db' (using password: YES)",
    "GET /orders/2026/11?page=5&sort=name HTTP/1.1 200 https://shop.example.com:8080/a?mail=a@example.com",
    "HEAD is now at 3f2a91c5e0b1d2a3f4e5d6c7b8a9f0e1d2c3b4a5 Make the button green",
    "ghcr.io/acme/web:1.27.3@sha256:" + "0a1b" * 16,
    "SQLSTATE[23000]: Duplicate entry '5' for key 'orders.orders_user_id_foreign'",
    "foreign_key_checks=0 primary_key: id cache_key=orders.5 routing_key: orders.created",
    "PHP Parse error: syntax error, unexpected end of file in /srv/app/Http/Kernel.php on line 5",
    "session_driver=database hash_driver=bcrypt auth: web",
    "mysql -p -h db shop; mysqldump --single-transaction -h db shop; docker run -p 8080:80 nginx",
    "DB_PASSWORD_FILE=/run/secrets/db_password POSTGRES_PASSWORD_FILE: /run/secrets/pg",
    "mysql -p$DB_PASSWORD -e 'drop database shop'; curl -H 'X: y' --token ${API_TOKEN} x",
    "request_id=6f1c2b7e-9f4c-4d1a-8f3e-2b1c0d9e8f7a user=5 commit=3f2a91c5e0b1d2a3f4e5d6c7b8a9f0e1d2c3b4a5",
    "max_tokens=512 prompt_tokens=17 tokens: 5",
    "the password is wrong; password reset mail sent to a@example.com",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_a_secret_stays(text: str) -> None:
    assert mask_named(text) == text


@given(st.text(max_size=300))
def test_a_text_of_any_kind_is_masked_without_an_error(text: str) -> None:
    assert isinstance(mask_named(text), str)


PIECES = [
    "password",
    "token",
    "=",
    ":",
    "=>",
    " ",
    "\n",
    "'",
    '"',
    "\\",
    '\\"',
    "[",
    "]",
    "(",
    "{",
    "}",
    "@",
    "://",
    "a",
    "-p",
    "mysql ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_pieces_of_secrets_are_masked_without_an_error(text: str) -> None:
    masked = mask_named(text)
    assert masked.count("\n") <= text.count("\n")


@given(st.text(string.ascii_letters + string.digits, min_size=8, max_size=24), st.text("abc \"'/", max_size=9))
def test_a_value_beside_its_name_never_stays(value: str, before: str) -> None:
    value = f"Q9{value}"
    for form in ("'password' => '{}'", '{{"password": "{}"}}', "password={} ", "[password] => {}\n", "x://u:{}@h/"):
        assert value not in mask_named(f"{before} {form.format(value)}")


def test_a_login_in_base64_is_found_by_its_password() -> None:
    for user in ("a", "ab", "abc", "x-access-token"):
        login = base64.b64encode(f"{user}:s3cret-pass-word".encode()).decode()
        assert "s3cret" not in base64.b64decode(
            Redactor(["s3cret-pass-word"])(f"Basic {login}").partition(" ")[2].replace(MASK, "") + "===", validate=False
        ).decode("utf-8", "replace")
        assert MASK in Redactor(["s3cret-pass-word"])(login)


# Settings whose names say nothing (name: value).
ODD = {
    "JWT": JWT,
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/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",
    "STRIPE_WEBHOOK": "whsec_x9CANARYx9CANARY",
    "MAIL_AUTH": "aGVsbG86d29ybGQxMjM0NQ",
    "BUGSNAG": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "REDIS_ADDRESS": "redis://:pa/ss-w0rd@r/0",
    "QUEUE_ADDRESS": "amqp://u:p@ssw0rd@h",
    "REDISCLI_AUTH": "hunter22",
}


@pytest.mark.parametrize("name", ODD)
def test_a_setting_is_a_secret_by_its_letters(name: str) -> None:
    shown = Redactor(secret_values({name: ODD[name]}))(ODD[name])
    assert MASK in shown and "CANARY" not in shown and "w0rd" not in shown


HARMLESS = {
    "APP_URL": "https://staging.shop.example.com/admin/login",
    "IMAGE": "ghcr.io/acme/web-frontend:1.27.3@sha256:" + "0a1b" * 16,
    "PHP_VERSION": "8.4.14-fpm-trixie",
    "BUCKET": "acme-production-uploads-2026",
    "MAIL_FROM_ADDRESS": "no-reply@shop.example.com",
    "MODEL": "App\\Models\\CustomerAccount",
    "HOST": "redis-master.default.svc.cluster.local",
    "LOG_STACK": "single,stderr,slack2",
    "SESSION_DRIVER": "database",
    "AUTH_GUARD": "web",
    "HASH_DRIVER": "bcrypt",
    "TZ": "America/Argentina/Buenos_Aires",
    "LOCALE": "en_US.UTF-8",
    "SINCE": "2026-11-29T10:00:00Z",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_word_a_version_or_an_address_is_not_masked(name: str) -> None:
    assert secret_values({name: HARMLESS[name]}) == []


@pytest.mark.parametrize("form", ["a\\/b", "a%2fb", "a%2Fb", "a/b"])
def test_a_slash_is_found_as_programs_print_it(form: str) -> None:
    secret = "k3y-a/b-CANARY"
    assert "CANARY" not in Redactor([secret])(f"x k3y-{form}-CANARY y")


@pytest.mark.parametrize(
    "form", ["&lt;CANARY&quot;&#039;x", "&lt;CANARY&quot;&#x27;x", "%3cCANARY%22%27x", "&lt;CANARY\"'x"]
)
def test_a_value_is_found_in_html(form: str) -> None:
    assert "CANARY" not in Redactor(["<CANARY\"'x"])(f"<p>{form}</p>")
