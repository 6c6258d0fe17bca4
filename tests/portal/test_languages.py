"""The portal in the languages of its people."""

from __future__ import annotations

import pytest

from tests.cast import Player
from tests.portal.conftest import SignIn, stranger


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-hans", ("首页", "模型体验", "API 密钥", "实时账单", "每分钟请求数")),
        ("zh-hant", ("首頁", "模型體驗", "API 金鑰", "即時帳單", "每分鐘請求數")),
    ],
)
def test_the_portal_speaks_chinese(acme: Player, as_role: SignIn, language: str, words: tuple[str, ...]) -> None:
    page = as_role(acme.tenant).get("/", headers={"accept-language": language}).content.decode()
    assert f'<html lang="{language}"' in page
    assert [word for word in words if word not in page] == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("zh-CN,zh;q=0.9", ("登录", "电子邮箱", "密码")),
        ("zh-TW,zh;q=0.9", ("登入", "電子郵件", "密碼")),
    ],
)
def test_a_browser_with_the_names_of_regions_is_understood(acme: Player, asked: str, words: tuple[str, ...]) -> None:
    page = stranger(acme.tenant).get("/sign-in/", headers={"accept-language": asked}).content.decode()
    assert [word for word in words if word not in page] == []
