"""Korean word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = 천연 발효종 | 욕실 곰팡이 | 새는 수도꼭지 | 베란다 텃밭 | 렌틸콩 수프 | 고양이와 이사
    | 공동 주거 청소 | 주전자 물때
topic1 = 꽃가루 알레르기 | 야간 근무 후 수면 | 발목 염좌 | 십 킬로미터 달리기 | 목 통증
    | 혈액 검사 | 아기 예방 접종 | 물리 치료
topic2 = 야간 열차 | 비 오는 주말 여행 | 산장 숙박 | 잃어버린 가방 | 호숫가 캠핑 | 반려견 여행
    | 시차 적응 | 여행자 보험
topic3 = 연말 정산 | 주택 담보 대출 | 잊고 있던 구독 | 스탠드 반품 | 전기 요금 | 가계부 | 관세
    | 중고 노트북
topic4 = 온실 효과 | 화산 유리 | 초전도체 | 두루미 이동 | 월식 | 산성 토양 | 반감기 | 지붕 이끼
topic5 = 불안정한 테스트 | 메모리 누수 | 시간대 오류 | 병합 충돌 | 느린 쿼리 | 깨진 CSV 파일
    | 도커 이미지 | 정규 표현식
topic6 = 한자 동맹 | 소네트 | 긴 나눗셈 | 금속 활자 | 바둑 포석 | 늑대 동화 | 띄어쓰기 | 비단길
topic7 = 퇴사 통보 | 회의록 | 면접 | 전세 보증금 | 육아 휴직 | 납품 계약 | 재택 근무
    | 분기 보고서
opener = 안녕하세요, | 안녕! | 저기요 | 짧은 질문: | 또 저예요. | 그러니까,
situation = 요즘 집에서 {topic} 얘기만 해요. | 동생이 자꾸 물어봐요. 주제는 {topic}.
    | {number}분밖에 없어요. | 설명서를 봐도 모르겠어요.
    | 집주인은 {topic} 문제는 제 책임이래요. | {name} 씨는 쉽다고 하네요. | {city}에 살아요.
    | {weekday}까지 내야 해요.
ask = {topic} 문제가 생기면 어떻게 하죠? | {topic} 비용이 얼마쯤이에요?
    | {topic} 왜 이렇게 오래 걸려요? | {topic} 주제로 짧은 글 써 줘.
    | {topic}, {topic_b} 중에 뭐가 더 중요해요? | {topic} 아이디어 세 개만.
    | {topic} 설명해 주세요. | {topic} 체크리스트 만들어 줘. | {city}에서는 {topic} 다른가요?
    | {topic}, {topic_b} 비교해 줘. | 더 공손하게 바꿔 줘: {s}
    | {number}원 들일 가치가 있나요? {topic} 말이에요.
constraint = 짧게요. | 전문 용어 없이. | {number}가지로. | {audience} 대상이에요. | 예시도요.
closer = 감사합니다! | 미리 고마워요 | 어떻게 생각해요? | {name} 드림
audience = 할머니 | 학부모 | 신입 직원 | 이웃 | 초등학생 | 임원
weekday = 월요일 | 화요일 | 수요일 | 목요일 | 금요일 | 토요일
month = 1월 | 3월 | 4월 | 5월 | 7월 | 8월 | 10월
followup = 더 짧게 | 그럼 {topic}? | 확실해요? | 표로 만들어 줘. | 좋아요, 이제 메일로. | 왜요?
    | {ask} | 아니요, {topic} 얘기예요. | 예를 들면? | {city}도 같아요?
    | 두 번째가 이해 안 돼요. | 영어로 부탁해요. | 계속
q = {topic}, 무슨 뜻인가요? | {topic} 언제부터 있었나요?
    | {topic}, {topic_b} 사이에 어떤 관계가 있나요? | {topic} 무엇에 달려 있나요?
    | {topic} 왜 자주 실패하나요? | {topic} 일 년에 얼마 드나요? | {topic} 효과는 어떻게 재나요?
    | {topic} 핵심 {number}가지는? | {city}에서 {topic} 담당은 누구인가요?
ins = {topic} 안내서를 쓰세요. | {topic} 흔한 실수 {number}가지를 적으세요.
    | 답이 '{topic}'인 수수께끼를 만드세요. | {topic}, {topic_b} 비교하기. | 요약: {s} {s}
    | 문장 고치기: {s} | '{topic}' 제목으로 시를 쓰세요. | {topic} {number}일 계획을 세우세요.
    | {audience} 대상 {topic} 공지를 쓰세요.
s = {year}년에는 {topic} 관심이 없었다. | {city}에서는 {number}원이 든다.
    | {name} 씨가 모두 적었다. | {number}일 뒤 {topic} 얘기는 사라졌다.
    | {topic}, {topic_b} 흔히 헷갈린다. | 보고서에는 사례가 {number}건 있다.
    | {company} 납품은 {month}이다. | 인내가 없으면 {topic} 안 된다.
    | 옛 규칙은 {year}년에 끝났다. | {weekday}에 강당이 가득 찼다. | {topic}, 시간이 필요하다.
title = {topic} 기초 | {topic} 질문 {number}개 | {topic}, {topic_b}
rv_open = {month}에 샀어요. | 두 번째 구매. | 아버지 선물. | 솔직 후기:
rv_mid = {number}주 만에 고장. | 배송 {number}일 걸림. | 설명서 별로. | 플라스틱 냄새.
    | 배터리 {number}시간 감. | 색이 사진과 달라요.
rv_end = 추천. | 다시는 안 사요. | 별 세 개. | 가격 대비 괜찮음. | 반품했어요.
tk_open = 주문 {ref}: | 안녕하세요, | 급합니다 | 세 번째 문의: | 고객 {ref},
tk_mid = 택배가 안 왔어요. | {number}원이 두 번 결제됐어요. | 로그인이 안 돼요.
    | 뚜껑이 깨졌어요. | 주소를 {city}로 바꿔 주세요. | {month} 청구서가 없어요.
tk_end = 전화 주세요. | {name} | {weekday}까지 답 주세요. | 사진 첨부. | 감사합니다.
em_open = {name} 님께, | 안녕하세요 여러분, | 담당자님께, | {name} 씨,
em_mid = 초안 보냅니다. | {weekday} {small}시 괜찮으세요? | {number}개 부족합니다.
    | 안건에 {topic} 있습니다. | 숫자가 안 맞아요. | {city} 회의실 예약했습니다.
em_end = {name} 드림 | {weekday}에 봬요, {name} | 감사합니다, {name}
a = 한마디로 상황에 따라 다릅니다. | 먼저 확인하고 결정하세요. | 예산은 {number}원쯤입니다.
    | 순서가 중요합니다. | {topic} 급한 경우는 드뭅니다. | 마지막 점검을 빼먹기 쉽습니다.
    | 바꿀 때마다 적어 두세요. | {city} 사례가 좋은 예입니다. | 그다음 {number}일 기다리세요.
    | {topic_b} 쪽이 더 쉽습니다.
name = 김민준 | 이서연 | 박도윤 | 최지우 | 정하린 | 강현우
city = 부산 | 대구 | 전주 | 강릉 | 제주 | 수원
"""
