"""Chinese word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = 酸面团 | 浴室发霉 | 水龙头漏水 | 阳台种菜 | 扁豆汤 | 带猫搬家 | 合租卫生 | 水壶水垢
    | 腌咸菜 | 窗户保温
topic1 = 花粉过敏 | 夜班后的睡眠 | 脚踝扭伤 | 十公里跑步训练 | 颈椎疼 | 血常规报告 | 宝宝疫苗
    | 术后康复 | 隐形眼镜
topic2 = 夜间火车 | 雨天的周末行程 | 徒步住宿 | 丢失的行李 | 湖边露营 | 带狗出行 | 倒时差
    | 旅行保险 | 签证材料
topic3 = 个人所得税 | 房贷利率 | 忘记取消的会员 | 台灯退货 | 电费账单 | 家庭预算 | 海关税
    | 二手笔记本 | 信用卡拒付
topic4 = 温室效应 | 火山玻璃 | 超导 | 鹤的迁徙 | 月食 | 酸性土壤 | 半衰期 | 屋顶地衣
    | 多普勒效应
topic5 = 不稳定的单元测试 | 内存泄漏 | 时区错误 | 合并冲突 | 慢查询 | 乱码的CSV | 镜像体积
    | 正则表达式 | 缓存失效
topic6 = 汉萨同盟 | 十四行诗 | 竖式除法 | 活字印刷 | 象棋开局 | 狼的童话 | 错别字 | 丝绸之路
    | 透视画法
topic7 = 离职通知期 | 会议纪要 | 面试 | 租房押金 | 育儿假 | 供货合同 | 远程办公 | 季度报告
    | 加班规定
opener = 你好， | 您好！ | 在吗 | 问个事： | 又是我。 | 那个， | 早上好，
situation = 家里最近一直在说{topic}。 | 我妹妹老问我{topic}的事。 | 我只有{number}分钟。
    | 房东说{topic}归我管。 | 说明书看不懂。 | {name}说{topic}很简单。 | 我们住在{city}。
    | {weekday}就要交了。 | 关于{topic}，网上说法不一。 | 公司要我讲{topic}。
    | 上周开始研究{topic}。
ask = {topic}出问题了怎么办？ | {topic}大概要多少钱？ | 为什么{topic}这么费时间？
    | 帮我写一段关于{topic}的话。 | {topic}和{topic_b}哪个更重要？ | 给我三个关于{topic}的点子。
    | 能讲讲{topic}吗？ | 列个{topic}的清单。 | 在{city}，{topic}有什么不同？
    | 比较一下{topic}和{topic_b}。 | 换个客气的说法：{s} | 花{number}块钱搞{topic}值吗？
    | 怎么跟{audience}解释{topic}？ | {topic}有哪些坑？ | 新手从哪里开始{topic}？
constraint = 简短一点。 | 别用术语。 | 分{number}点。 | 给{audience}看的。 | 举个例子。
    | 语气轻松些。
closer = 谢谢！ | 先谢了 | 麻烦了 | 你怎么看？ | 多谢，{name}
audience = 奶奶 | 家长 | 新同事 | 邻居 | 小学生 | 领导
weekday = 周一 | 周二 | 周三 | 周四 | 周五 | 周六
month = 一月 | 三月 | 四月 | 五月 | 七月 | 八月 | 十月
followup = 短一点 | 那{topic}呢？ | 确定吗？ | 做成表格。 | 好的，改成邮件。 | 为什么？ | {ask}
    | 不对，我说的是{topic}。 | 有例子吗？ | {city}也这样吗？ | 第二点没看懂。 | 翻成英文。
    | 再亲切一点 | 嗯嗯，继续
q = 什么是{topic}？ | {topic}从什么时候开始有的？ | {topic}和{topic_b}有什么关系？
    | {topic}取决于什么？ | 为什么{topic}经常失败？ | {topic}一年花多少钱？
    | 怎么判断{topic}有没有效果？ | {topic}最重要的{number}个要点是什么？
    | 在{city}谁负责{topic}？ | 冬天{topic}会变化吗？ | 初学者对{topic}有哪些误解？
    | 如果没有{topic}会怎样？
ins = 写一份{topic}指南。 | 列出{topic}的{number}个常见错误。 | 编一个谜语，谜底是{topic}。
    | 比较{topic}与{topic_b}。 | 概括：{s}{s} | 改正病句：{s} | 以{topic}为题写首诗。
    | 为{topic}安排{number}天的计划。 | 给{audience}写一则{topic}通知。 | 用一句话定义{topic}。
    | 设计一份{topic}调查表。
s = {year}年还没有人关心{topic}。 | 在{city}，这要花{number}元。 | {name}把过程都记了下来。
    | 过了{number}天，{topic}就没人提了。 | 很多人分不清{topic}和{topic_b}。
    | 报告里提到{number}个案例。 | {company}到{month}才发货。 | 没有耐心，{topic}做不成。
    | 旧规定从{year}年起作废。 | {weekday}会场坐满了人。 | {topic}需要时间。
    | 调查显示{topic}的费用上涨了{number}%。
title = {topic}要点 | 关于{topic}的{number}个问题 | {topic}与{topic_b} | {weekday}会议纪要
rv_open = {month}买的。 | 第二次回购。 | 送给爸爸的。 | 说实话：
rv_mid = 用了{number}周就坏了。 | 等了{number}天才到。 | 说明书太差。 | 有塑料味。
    | 电池能用{number}小时。 | 颜色和图片不一样。 | 客服态度好。
rv_end = 推荐。 | 不会再买。 | 三星。 | 这个价可以了。 | 已退货。
tk_open = 订单{ref}： | 你好， | 急！ | 第三次反馈： | 客户{ref}，
tk_mid = 包裹没收到。 | 重复扣了{number}元。 | 登不上账号。 | 盖子裂了。 | 请把地址改到{city}。
    | {month}的发票没有。
tk_end = 请回电。 | {name} | {weekday}前答复。 | 照片见附件。 | 谢谢。
em_open = {name}你好： | 各位同事： | 尊敬的客户： | 大家好，
em_mid = 草稿见附件。 | {weekday}{small}点方便吗？ | 还差{number}件。 | {topic}已列入议程。
    | 数字对不上。 | {city}的会议室订好了。
em_end = 祝好，{name} | {weekday}见，{name} | 此致，{name}
a = 简单说，要看情况。 | 先检查，再决定。 | 预算大约{number}元。 | 顺序很重要。
    | {topic}一般不急。 | 常见错误是最后不核对。 | 每次改动都记下来。 | {city}的例子可以说明。
    | 然后等{number}天。 | 相比之下{topic_b}更简单。 | 有两点最关键。
r = 设未知数为x。 | 先看已知条件：{number}和{number_b}。 | 所以还剩{number}。
    | 验算一下，{number}符合。 | 假设结论不成立。 | 由此得到答案{number}。
name = 王晓雨 | 李建国 | 陈思远 | 张敏 | 刘洋 | 周婷 | 赵一鸣 | 孙丽
city = 成都 | 苏州 | 西安 | 厦门 | 长沙 | 昆明 | 青岛 | 高雄
"""
